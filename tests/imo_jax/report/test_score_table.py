"""The table of scores, on a page and as text."""

import pytest

from imo_jax.report.eye_report import missed_discs, score_text
from imo_jax.report.score_table import columns_of, score_lines, score_table

pytestmark = pytest.mark.quick


def score(value):
    return {"auc": {"value": value, "low": value, "high": value}}


SUMMARY = score(0.5) | {
    "by_source": {"refuge": score(0.75), "papila": {"auc": None}},
    "num_discs_missed": 0,
    "num_eyes_with_mask": 5,
}


def test_scores_of_each_data_set_stand_beside_those_of_all():
    table = score_table("IMO", SUMMARY, columns_of(SUMMARY, {"baseline": score(0.25)}), {"auc": "AUC"})
    assert table.columns[3:] == ["baseline", "on refuge", "on papila"]
    assert table.rows == [("AUC", "0.500", "0.500 to 0.500", "0.250", "0.750", "\u2013")]
    said = " ".join(score_text(SUMMARY | {"controls": {}}))
    assert "On each data set" in said
    assert "On each" not in " ".join(score_text(SUMMARY | {"by_source": {}, "controls": {}}))


def test_discs_that_were_missed_are_said_beside_the_scores():
    assert not missed_discs(SUMMARY)
    (said,) = missed_discs(SUMMARY | {"num_discs_missed": 2})
    assert said.startswith("No disc was found in 2 of 5 eyes")
    assert said in score_text(SUMMARY | {"num_discs_missed": 2, "controls": {}})


def test_lines_of_text_hold_what_is_defined_in_columns():
    others = {"x_t_zeroed": score(float("nan")), "one": score(0.25)}
    head, line = score_lines(
        SUMMARY, others, {"auc": "AUC", "gone": "not scored"},
        title="IMO", value="value", widths=(5, 6, 15, 9),
    )  # fmt: skip
    assert head == "IMO     value    95 % interval  x t zeroed        one"
    assert line.split() == ["AUC", "0.500", "0.500", "..", "0.500", "-", "0.250"]
    assert len(line) == len(head)
