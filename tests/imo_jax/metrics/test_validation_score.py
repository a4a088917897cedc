"""By what a checkpoint is chosen."""

import numpy as np
import pytest

from imo_jax.metrics import validation_score

BOTH = {"disc_dice": 0.9, "cup_dice": 0.8, "qwk": 0.4, "referable_auc": 0.7}


@pytest.mark.parametrize(
    ("known", "grades", "score", "shapes"),
    [
        (BOTH, 3, 0.7, 0.85),
        (BOTH, 2, 0.8, 0.85),
        ({"disc_dice": 0.9, "cup_dice": 0.8}, 3, 0.85, 0.85),
        ({"disc_dice": 0.9}, 3, 0.9, 0.9),
        ({"qwk": 0.4}, 3, 0.4, 0.4),
        ({}, 3, np.nan, np.nan),
    ],
    ids=["both heads", "two grades", "shapes alone", "no cup", "grades alone", "nothing"],
)
def test_the_mean_of_all_and_of_the_shapes(known, grades, score, shapes, monkeypatch):
    summary = {name: {"value": value} for name, value in known.items()}
    monkeypatch.setattr(validation_score, "imo_summary", lambda records, resamples: summary)
    monkeypatch.setattr(validation_score, "grade_names_of", lambda records: ("grade",) * grades)
    found = validation_score.validation_metrics([])
    np.testing.assert_allclose([found["score"], found["shapes"]], [score, shapes])
