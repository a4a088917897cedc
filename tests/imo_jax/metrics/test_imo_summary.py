import json

import numpy as np
import pytest

from imo_jax.metrics.imo_eye import dice_of, eye_row, score_eye
from imo_jax.metrics.imo_summary import (
    GRADING_KEYS,
    SEGMENTATION_KEYS,
    grade_bins,
    grade_confusion,
    imo_difference,
    imo_summary,
    pixel_bins,
)


def ids_of(disc, cup, size=40):
    ids = np.zeros((size, size), np.uint8)
    ids[5 : 5 + disc, 5:25] = 1
    ids[7 : 7 + cup, 10:20] = 2
    return ids


def soft(ids, certainty=0.9):
    return (np.eye(3)[ids] * (certainty - (1 - certainty) / 2) + (1 - certainty) / 2).astype(
        np.float32
    )


# Vertical ratio of 10 predicted cup rows in 20 of the disc: the contour lies where 0.9 falls to 0.05
# crosses one half, for the disc (rim + cup) where 0.95 falls to 0.1 does.
RATIO = (9 + 2 * 0.4 / 0.85) / (19 + 2 * 0.45 / 0.85)


def an_eye(k, predicted=(20, 10), true=(20, 8), **changes):
    settings = {
        "probabilities": soft(ids_of(*predicted)),
        "mask": ids_of(*true),
        "sample_ids": np.stack([ids_of(20, 10), ids_of(20, 14)]),
        "uncertainty": (ids_of(*predicted) != ids_of(*true)).astype(np.float32),
        "grade": k % 3,
        "grade_probabilities": np.array([0.5, 0.3, 0.2]),
    }
    return score_eye(f"eye{k}", f"patient{k // 2}", **(settings | changes))


def test_record_by_hand():
    record = an_eye(1)
    np.testing.assert_allclose(record["vcdr_pred"], RATIO, rtol=1e-6)
    assert record["vcdr_true"] == 8 / 20
    np.testing.assert_allclose(record["vcdr_sd"], np.std([0.5, 0.7], ddof=1))
    assert record["confusion"].sum() == 1600 and record["confusion"][1, 2] == 20
    assert record["uncertainty_auroc"] == 1.0
    # 400 + 400 pixels of the disc, box with half of 20 on each side, cut at the border.
    assert record["calibration"]["pixels"] == 35 * 35


def test_a_disc_whose_inside_is_ignored_has_no_true_ratio():
    """No cup marked is not a cup of size 0, where the mask says that it does not know."""
    ring, no_cup, beyond = ids_of(20, 0), ids_of(20, 0), ids_of(20, 0)
    ring[6:24, 6:24] = 255
    beyond[:3] = 255  # outside the disc: the cup's absence is told
    untold = an_eye(1, mask=ring)
    assert np.isnan(untold["vcdr_true"]) and untold["measures_true"] is None
    assert untold["confusion"] is not None and eye_row(untold)["vcdr_true"] is None
    for mask in (no_cup, beyond):
        assert an_eye(1, mask=mask)["vcdr_true"] == 0
    ring[7:15, 10:20] = 2  # a cup is told after all, beside ignored pixels
    assert an_eye(1, mask=ring)["measures_true"] is not None

    def error(records):
        return imo_summary(records)["vcdr_mae"]["value"]

    assert error([an_eye(0), untold]) == error([an_eye(0)])


def test_of_a_disc_whose_inside_is_ignored_the_disc_alone_is_scored():
    ring = ids_of(20, 0)
    ring[6:24, 6:24] = 255
    assert (ring == 1).any() and (ring == 255).any()
    untold, whole = an_eye(1, mask=ring), an_eye(1, mask=ids_of(20, 0))
    # Its Dice is that of the whole disc, inside and all.
    assert dice_of(untold) == {"disc": dice_of(whole)["disc"]}
    row = eye_row(untold)
    assert row["dice_rim"] is row["dice_cup"] is None and row["dice_disc"] > 0
    missed = np.zeros((40, 40, 3))
    missed[..., 0] = 1.0  # nothing is found
    assert dice_of(an_eye(1, mask=ring, probabilities=missed)) == {"disc": 0.0}
    # Beside an eye whose cup is told it counts for the disc, and for nothing else.
    told = an_eye(0)
    both, one = imo_summary([told, untold]), imo_summary([told])
    for key in ("cup_dice", "rim_dice", "micro_mdice", "micro_dice_cup"):
        assert both[key]["value"] == one[key]["value"], key
    mean = (dice_of(told)["disc"] + dice_of(untold)["disc"]) / 2
    assert both["disc_dice"]["value"] == pytest.approx(mean)
    alone = imo_summary([untold])
    assert alone["cup_dice"] is None and alone["micro_mdice"] is None
    assert alone["disc_dice"] is not None


def test_row_by_hand():
    row = eye_row(an_eye(1))
    assert row["dice_disc"] == 1.0
    np.testing.assert_allclose(row["dice_cup"], 2 * 80 / (100 + 80))
    np.testing.assert_allclose(row["dice_rim"], 2 * 300 / (300 + 320))
    assert (row["grade_true"], row["grade_pred"], row["probability_mid_advanced"]) == (1, 0, 0.2)
    bare = eye_row(score_eye("a", "p"))
    assert list(bare) == list(row)
    assert {value for key, value in bare.items() if key not in ("id", "patient")} == {None}


def test_missing_parts_leave_their_scores_out():
    unlabelled = an_eye(0, mask=None, grade=None)
    np.testing.assert_allclose(unlabelled["vcdr_pred"], RATIO, rtol=1e-6)
    assert unlabelled["confusion"] is None
    assert an_eye(0, mask=np.full((40, 40), 255, np.uint8))["confusion"] is None
    assert np.isnan(an_eye(0, sample_ids=None)["vcdr_sd"])
    assert np.isnan(an_eye(0, sample_ids=ids_of(20, 10)[None])["vcdr_sd"])
    with pytest.raises(ValueError, match="eye eye7: .*truth has .*128"):
        an_eye(7, mask=np.full((40, 40), 128, np.uint8))


def test_summary_by_hand():
    # Grades 0 1 2 0 1 2, all called 0; cups 10 for 8 rows; one eye without a cup in the truth.
    records = [an_eye(k) for k in range(5)] + [an_eye(5, true=(20, 0))]
    got = imo_summary(records)
    value = {key: got[key]["value"] for key in SEGMENTATION_KEYS + GRADING_KEYS}
    np.testing.assert_allclose(value["disc_dice"], 1.0)
    np.testing.assert_allclose(value["cup_dice"], 5 / 6 * 2 * 80 / 180)
    np.testing.assert_allclose(value["vcdr_mae"], (5 * (RATIO - 0.4) + RATIO) / 6, rtol=1e-6)
    np.testing.assert_allclose(value["micro_dice_cup"], 2 * 400 / (600 + 400))
    np.testing.assert_allclose(value["micro_dice_background"], 1.0)
    rim = 2 * 1800 / (1800 + 2000)
    np.testing.assert_allclose(value["micro_mdice"], (1 + rim + 0.8) / 3)
    np.testing.assert_allclose(value["accuracy"], 1 / 3)
    np.testing.assert_allclose(value["macro_f1"], (2 * 2 / 8) / 3)
    assert value["qwk"] == 0 and value["referable_auc"] == 0.5
    np.testing.assert_allclose(value["grade_ece"], 0.5 - 1 / 3)
    counts = [got[f"num_{n}"] for n in ("eyes", "patients", "eyes_with_mask", "eyes_with_grade")]
    assert counts == [6, 3, 6, 6]
    for key in SEGMENTATION_KEYS + GRADING_KEYS:
        assert got[key]["low"] <= got[key]["value"] <= got[key]["high"]
    json.dumps(got, allow_nan=False)


def test_a_missed_disc_costs():
    nothing = soft(np.zeros((40, 40), np.uint8))
    got = imo_summary([an_eye(0, probabilities=nothing), an_eye(1)])
    np.testing.assert_allclose(got["vcdr_mae"]["value"], (0.4 + RATIO - 0.4) / 2, rtol=1e-6)
    assert got["disc_dice"]["value"] == 0.5
    assert got["num_discs_missed"] == 1
    without = imo_summary([an_eye(0, probabilities=nothing, mask=None), an_eye(1)])
    assert without["num_discs_missed"] == 0


def test_without_labels_a_metric_is_none():
    masks_only = imo_summary([an_eye(k, grade=None) for k in range(3)])
    assert all(masks_only[key] is None for key in GRADING_KEYS)
    assert all(masks_only[key] is not None for key in SEGMENTATION_KEYS)
    grades_only = imo_summary([an_eye(k, mask=None) for k in range(3)])
    assert all(grades_only[key] is None for key in SEGMENTATION_KEYS)
    assert grades_only["num_eyes_with_mask"] == 0 and grades_only["num_eyes"] == 3
    nothing = imo_summary([])
    assert nothing["num_eyes"] == 0 and nothing["qwk"] is None
    one_grade = imo_summary([an_eye(0), an_eye(3)])
    assert one_grade["referable_auc"] is None and one_grade["qwk"] is None
    json.dumps([masks_only, grades_only, nothing, one_grade], allow_nan=False)


def test_seed_and_resamples_matter():
    rng = np.random.default_rng(0)
    records = [an_eye(k, grade_probabilities=rng.dirichlet(np.ones(3))) for k in range(20)]
    first = imo_summary(records)
    assert first == imo_summary(records)
    assert first["grade_nll"] != imo_summary(records, seed=1)["grade_nll"]
    assert first["grade_nll"] != imo_summary(records, resamples=50)["grade_nll"]


def test_difference_is_paired():
    better = [an_eye(k, predicted=(20, 8 + k % 2)) for k in range(8)]
    worse = [an_eye(k, predicted=(20, 9 + k % 2)) for k in range(8)]
    got = imo_difference(better, worse)
    assert got["vcdr_mae"]["value"] < 0 and got["vcdr_mae"]["high"] < 0
    assert got["qwk"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    ungraded = [an_eye(k, grade_probabilities=None) for k in range(8)]
    assert imo_difference(better, ungraded)["qwk"] is None
    with pytest.raises(ValueError, match="same eyes"):
        imo_difference(better, worse[::-1])


def test_sums_for_the_plots():
    records = [an_eye(k) for k in range(6)]
    np.testing.assert_array_equal(grade_confusion(records), [[2, 0, 0]] * 3)
    assert grade_bins(records)[:, 0].sum() == 6
    assert pixel_bins(records)[:, 0].sum() == 6 * 35 * 35
    assert grade_confusion([]).sum() == 0 and pixel_bins([]).sum() == grade_bins([]).sum() == 0
