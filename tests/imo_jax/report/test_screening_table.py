"""SEMT's table from records that were made: which lines it has, and differences by hand."""

import numpy as np
import pytest

from imo_jax.metrics.screening import VolumeRecord
from imo_jax.metrics.screening_summary import screening_summary
from imo_jax.report import screening_table
from imo_jax.report.screening_table import FinishedRow

CLAIMS = (("better", "worse"), ("better", "not trained"))


def records(wrong, field):
    """Twelve volumes of six patients; the class of the first `wrong` ones is missed."""
    return [
        VolumeRecord(
            id=f"v{i}", patient=f"p{i // 2}", eye="OD", visit=str(i), glaucoma=i % 2,
            probability=float(i % 2 == (i >= wrong)) * 0.6 + 0.2,
            vf_predicted=field, vf_measured=np.array([90.0 - i, -2.0, 3.0]),
        )
        for i in range(12)
    ]  # fmt: skip


def row(name, wrong, field=None):
    made = [records(wrong, field), records(wrong + 1, field)]  # of two seeds
    return FinishedRow(
        name, name.capitalize(), ((0.9, 0.8, 0.7), (0.6, 0.5, 0.4)),
        [screening_summary(seed, resamples=20) for seed in made], made, 1234, [60.0, 120.0],
        [(name, [1, 2], [0.5, 0.4])],
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return [row("worse", 3), row("better", 0, np.array([88.0, -3.0, 2.0]))]


def test_a_row_has_its_means_the_papers_figures_and_its_cost(rows):
    table = screening_table.scores_table(rows).table
    worse = dict(zip(table.columns, table.rows[0], strict=True))
    # 9 and 8 of 12 right.
    assert worse["row"] == "Worse" and worse["image accuracy"].startswith(f"{17 / 24:.3f} (")
    assert worse["paper, case"] == "0.600 / 0.500 / 0.400"
    assert worse["parameters"] == "1,234" and worse["min a run"] == "1.5"


def test_only_rows_that_regress_fields_have_a_line_of_them(rows):
    (line,) = screening_table.fields_table(rows).table.rows
    assert line[0] == "Better" and len(line) == len(screening_table.fields_table(rows).table.columns)


def test_claims_of_rows_that_are_there_are_paired_differences(rows):
    table = screening_table.claims_table(rows, CLAIMS).table
    (line,) = table.rows
    assert line[0] == "Better \u2212 Worse"
    assert line[1].startswith(f"{3 / 12:+.3f} (")  # of both seeds


def test_numbers_are_flat_and_leave_out_what_is_not_defined(rows):
    lines = screening_table.flat(rows)
    keys = {(line["row"], line["key"]) for line in lines}
    assert ("better", "md_mae") in keys and ("worse", "md_mae") not in keys
    assert {line["seed"] for line in lines} == {0, 1}
    assert all(line["low"] <= line["high"] for line in lines)


def test_the_page_leaves_out_tables_without_lines(rows):
    shown = [s.key for s in screening_table.sections_of(rows, CLAIMS, "m.csv")]
    assert shown == ["setting", "scores", "fields", "claims", "intervals", "curves"]
    alone = [s.key for s in screening_table.sections_of(rows[:1], CLAIMS, "m.csv")]
    assert alone == ["setting", "scores", "intervals", "curves"]
    text = screening_table.in_words(rows, CLAIMS, "m.csv")
    assert "12 volumes (image level)" in text and "6 patients" in text and "mean of 2 seeds" in text
