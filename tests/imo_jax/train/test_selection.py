"""The best step and early stopping."""

import dataclasses
import json
import math

from imo_jax.train.selection import Selection


def after(values, mode="max"):
    selection = Selection()
    for k, value in enumerate(values):
        selection = selection.after(10 * (k + 1), value, mode)
    return selection


def test_first_best_is_kept():
    assert after([0.1, 0.5, 0.5, 0.3]) == Selection(20, 0.5, 40, 2)


def test_mode_changes_which_end_is_better():
    assert after([0.1, 0.5, 0.3], "min") == Selection(10, 0.1, 30, 2)


def test_what_is_not_finite_is_never_better():
    assert after([math.nan, math.inf]) == Selection(None, None, 20, 2)
    assert after([0.2, math.nan]).best_step == 10


def test_patience():
    selection = after([0.5, 0.4, 0.3])
    assert selection.exhausted(2)
    assert not selection.exhausted(3)
    assert not selection.exhausted(0)


def test_survives_json_to_the_bit():
    selection = after([0.1 + 0.2])
    text = json.dumps(dataclasses.asdict(selection))
    assert Selection(**json.loads(text)) == selection
