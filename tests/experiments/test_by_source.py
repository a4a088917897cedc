"""Eyes of several data sets in one manifest, each scored alone."""

import pytest

from experiments.evaluation_files import by_source
from experiments.report.eyes import score_text
from imo_jax.report.score_table import columns_of, score_table

pytestmark = pytest.mark.quick


def test_sets_are_told_apart_and_a_single_one_is_not():
    scores = by_source([1, 2, 3, 4], ["refuge", "papila", "", "refuge"], sum)
    assert scores == {"refuge": 5, "papila": 2, "no source": 3}
    assert by_source([1, 2], ["refuge", "refuge"], sum) == by_source([], [], sum) == {}


def test_they_stand_beside_the_scores_of_all():
    def score(value):
        return {"auc": {"value": value, "low": value, "high": value}}

    summary = score(0.5) | {"by_source": {"refuge": score(0.75), "papila": {"auc": None}}}
    others = columns_of(summary, {"baseline": score(0.25)})
    table = score_table("IMO", summary, others, {"auc": "AUC"})
    assert table.columns[3:] == ["baseline", "on refuge", "on papila"]
    assert table.rows == [("AUC", "0.500", "0.500 to 0.500", "0.250", "0.750", "\u2013")]
    said = " ".join(score_text(summary | {"controls": {}}))
    assert "On each data set" in said
    assert "On each" not in " ".join(score_text({"by_source": {}, "controls": {}}))
