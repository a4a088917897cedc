"""Per-eye Dice over seeds, and its paired test against IMO."""

import numpy as np
import pytest
from scipy import stats

from imo_jax.metrics.imo_eye import score_eye
from imo_jax.report.comparison import (
    Finished,
    compared,
    differences,
    eye_dice,
    summaries,
    wilcoxon,
)

SIDE = 16
RNG = np.random.default_rng(0)


def eye(i, wrong):
    """A disc of 16 pixels with a cup of 4 of which `wrong` are missed by the prediction."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[4:8, 4:8] = 1
    mask[5, 4:8] = 2
    predicted = mask.copy()
    predicted[5, 4 : 4 + wrong] = 1
    grade = i % 3
    said = np.eye(3)[grade if wrong < 2 else (grade + 1) % 3]
    return score_eye(
        f"e{i}", f"p{i // 2}", probabilities=np.eye(3)[predicted], mask=mask,
        grade_probabilities=said, grade=grade,
    )  # fmt: skip


def row(name, *seeds):
    records = [[eye(i, wrong) for i, wrong in enumerate(seed)] for seed in seeds]
    return Finished(name, name, records, {}, {}, None, None)


def cup_dice(wrong):
    return 2 * (4 - wrong) / (4 + 4 - wrong)


def test_dice_of_an_eye_is_the_mean_over_the_seeds():
    found = row("unetpp", (0, 1, 2), (2, 1, 4))
    ids, dice = eye_dice(found.seeds, "cup")
    assert ids == ["e0", "e1", "e2"]
    expected = [(1 + cup_dice(2)) / 2, cup_dice(1), (cup_dice(2) + 0) / 2]
    np.testing.assert_allclose(dice, expected)
    np.testing.assert_allclose(eye_dice(found.seeds, "disc")[1], 1.0)  # only the cup is wrong


def test_wilcoxon_is_scipys_of_these_dice():
    worse, better = (3, 2, 2, 4, 1, 3, 2, 4), (1, 1, 2, 2, 0, 1, 3, 1)
    found = wilcoxon(row("unetpp", worse), row("imo", better), "cup")
    scores = [np.array([cup_dice(w) for w in wrong]) for wrong in (worse, better)]
    assert found == pytest.approx(stats.wilcoxon(*scores).pvalue)
    assert wilcoxon(row("unetpp", worse), row("imo", better), "disc") == 1.0  # equal discs


def test_wilcoxon_needs_the_same_eyes():
    with pytest.raises(ValueError, match="unetpp and imo scored different eyes"):
        wilcoxon(row("unetpp", (1, 2, 3)), row("imo", (1, 2)), "cup")


def test_a_grader_has_no_wilcoxon_test():
    graded = [score_eye("e0", "p", grade_probabilities=np.eye(3)[0], grade=0)]
    grader = Finished("vit", "ViT", [graded], {}, {}, None, None)
    assert wilcoxon(grader, row("imo", (1,)), "cup") is None


def test_seeds_of_other_eyes_are_refused():
    records = [[eye(0, 1), eye(1, 1)], [eye(0, 1), eye(2, 1)]]
    with pytest.raises(ValueError, match="different eyes"):
        eye_dice(records, "cup")


def test_summaries_and_differences_are_by_seed():
    better, worse = row("imo", (0, 0, 0, 0), (0, 1, 0, 0)), row("unetpp", (2, 2, 2, 2), (1,) * 4)
    assert [s["cup_dice"]["value"] for s in summaries(better, 20)] == pytest.approx(
        [1, (3 + cup_dice(1)) / 4]
    )
    found = differences(worse, better, 20)
    assert found[0]["cup_dice"]["value"] == pytest.approx(cup_dice(2) - 1)
    assert found[0]["qwk"]["value"] < 0 and len(found) == 2


def test_rows_are_held_against_imo_where_it_is_there():
    rows = [row("unetpp", (2, 2, 2, 2)), row("imo", (0, 0, 0, 0))]
    words = {"title": "t", "heads": ("segment",), "note": "n", "setting": "s"}
    both = compared(rows, 20, **words)
    assert both.scores.keys() == {"unetpp", "imo"} and both.against.keys() == {"unetpp"}
    assert both.against["unetpp"] == differences(*rows, 20)
    assert both.tests["unetpp"] == {"disc": 1.0, "cup": wilcoxon(*rows, "cup")}
    alone = compared(rows[:1], 20, **words)
    assert alone.against == alone.tests == {} and alone.scores.keys() == {"unetpp"}
