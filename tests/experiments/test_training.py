"""What every training does around its loop."""

import pytest

from experiments import training
from experiments.presets import default
from experiments.run_folder import RunFolder
from imo_jax.train.loop import Result
from imo_jax.train.selection import Selection


@pytest.mark.parametrize(
    ("reason", "said"),
    [("interrupted", "interrupted after step 5; the same command"), ("finished", "")],
)
def test_an_interrupted_training_says_where_it_goes_on(monkeypatch, tmp_path, capsys, reason, said):
    result = Result(5, reason, Selection(), 130)
    monkeypatch.setattr(training, "run_loop", lambda *_, **__: result)
    monkeypatch.setattr(training, "first_line", lambda *_: "a network")
    monkeypatch.setattr(training.initial, "draw", lambda *_: {})
    done = training.train_network(
        default(), RunFolder(tmp_path), title="", sees="", encoder=(), objective=None, batches=None,
        scores=None, no_validation="", augmentation=None,
    )  # fmt: skip
    assert done is result
    assert capsys.readouterr().err.splitlines()[2:] == (
        [f"{said} goes on from there"] if said else []
    )
