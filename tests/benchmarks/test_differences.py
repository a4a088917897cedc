"""Paired differences of evaluations, by hand and by their properties."""

import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import differences

EYES = ["a_OD", "a_OS", "b_OD", "c_OD"]


def evaluation(folder, disc, cdr=0.5, grades=(0, 1, 2, 0), ids=EYES):
    folder.mkdir(parents=True)
    pd.DataFrame({
        "id": ids, "patient": [name[0] for name in ids], "dice_disc": disc, "dice_cup": disc,
        "vcdr_true": 0.5, "vcdr_pred": cdr, "grade_true": [0, 1, 2, 0], "grade_pred": grades,
    }).to_csv(folder / "per_eye.csv", index=False)  # fmt: skip
    return folder


def test_means_over_folders_and_their_difference(tmp_path, capsys):
    first = [
        evaluation(tmp_path / "a0", [0.9, 0.8, 1.0, 0.9], 0.6),
        evaluation(tmp_path / "a1", 0.8, 0.4),
    ]
    second = [evaluation(tmp_path / "b", 0.7, 0.5, grades=(0, 0, 0, 0))]
    found = differences.differences(differences.read(first), differences.read(second))
    assert found["disc Dice"]["first"]["value"] == pytest.approx(0.85)
    assert found["disc Dice"]["difference"]["value"] == pytest.approx(0.15)
    assert found["vertical CDR error"]["difference"]["value"] == pytest.approx(0.1)
    assert found["kappa"]["difference"]["value"] == pytest.approx(1.0)
    # eyes' differences are 0.15, 0.10, 0.20 and 0.15: of patients a (both), b and c
    low, high = (found["disc Dice"]["difference"][end] for end in ("low", "high"))
    assert 0.125 <= low < 0.15 < high <= 0.2 + 1e-9
    differences.main([*map(str, first), "--minus", *map(str, second)])
    assert "| disc Dice | 0.850 (" in capsys.readouterr().out


def test_the_other_way_round_is_the_negative(tmp_path):
    rng = np.random.default_rng(0)
    one = differences.read([evaluation(tmp_path / "a", rng.random(4), rng.random(4))])
    two = differences.read([evaluation(tmp_path / "b", rng.random(4), rng.random(4), (2, 1, 0, 0))])
    there, back = differences.differences(one, two), differences.differences(two, one)
    for name, found in there.items():
        assert found["difference"]["low"] == pytest.approx(-back[name]["difference"]["high"])


def test_scores_that_one_of_them_has_not_are_left_out(tmp_path):
    plain = evaluation(tmp_path / "a", 0.9, grades=np.nan)
    found = differences.differences(
        differences.read([plain]), differences.read([evaluation(tmp_path / "b", 0.8)])
    )
    assert set(found) == {"disc Dice", "cup Dice", "vertical CDR error"}


def test_no_disc_found_is_a_ratio_of_nothing(tmp_path):
    """As evaluations count it: the eye is not left out of one of the two."""
    without = evaluation(tmp_path / "a", 0.9, cdr=[np.nan, 0.5, 0.5, 0.5])
    found = differences.differences(
        differences.read([without]), differences.read([evaluation(tmp_path / "b", 0.9, cdr=0.6)])
    )["vertical CDR error"]
    assert found["first"]["value"] == pytest.approx(0.125)
    assert found["difference"]["value"] == pytest.approx(0.025)


def test_what_is_no_evaluation_is_named(tmp_path, capsys):
    first = evaluation(tmp_path / "a", 0.9)
    for wrong, words in (
        (tmp_path / "nothing", "nothing/per_eye.csv: cannot be read .*give folders of evaluations"),
        (
            evaluation(tmp_path / "b", 0.9, ids=["a_OD", "b_OD", "a_OS", "c_OD"]),
            "not scored on the same",
        ),
    ):
        with pytest.raises(SystemExit):
            differences.main([str(first), "--minus", str(wrong)])
        assert re.search(words, capsys.readouterr().err)


def test_other_eyes_are_refused(tmp_path):
    first = evaluation(tmp_path / "a", 0.9)
    other = evaluation(tmp_path / "b", 0.9, ids=["a_OD", "b_OD", "a_OS", "c_OD"])
    with pytest.raises(ValueError, match="other eyes"):
        differences.read([first, other])
    with pytest.raises(ValueError, match="not scored on the same eyes"):
        differences.differences(differences.read([first]), differences.read([other]))
