"""Which pictures an evaluation on eyes draws."""

import numpy as np
import pytest

from imo_jax.metrics.imo_eye import score_eye
from imo_jax.metrics.imo_summary import imo_summary
from imo_jax.visualisation.eye_plots import eye_plots

SIDE = 32
PLOTS = {"confusion.png", "reliability.png", "vcdr.png", "scores.png"}


def eye(number, mask=True, grade=True):
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[8:24, 8:24] = 1
    ids[12:20, 12:20] = 2
    return score_eye(
        f"e{number}", f"p{number}", probabilities=np.eye(3)[ids], mask=ids if mask else None,
        grade_probabilities=np.eye(3)[number % 3], grade=number % 3 if grade else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "drawn"),
    [
        ({}, PLOTS),
        ({"mask": False}, PLOTS - {"vcdr.png"}),
        ({"grade": False}, PLOTS - {"confusion.png"}),
        ({"mask": False, "grade": False}, set()),
    ],
)
def test_what_is_labelled_is_drawn(labels, drawn):
    records = [eye(number, **labels) for number in range(4)]
    methods = {"ours": imo_summary(records, resamples=10)}
    found = eye_plots(records, methods)
    assert set(found) == drawn
    assert all(p.dtype == np.uint8 and p.shape[-1] == 3 and p.std() > 5 for p in found.values())


def test_each_method_has_its_bars():
    records = [eye(number) for number in range(4)]
    summary = imo_summary(records, resamples=10)
    one = eye_plots(records, {"ours": summary})
    two = eye_plots(records, {"ours": summary, "baseline": summary})
    assert {name for name in PLOTS if not np.array_equal(one[name], two[name])} == {"scores.png"}
    assert "scores.png" not in eye_plots(records, {})
