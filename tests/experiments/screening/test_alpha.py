"""The search for the weights of the regression losses."""

import json
import types

import pandas as pd
import pytest

from experiments.run_folder import RunFolder
from experiments.runtime import UserError
from experiments.screening import alpha
from experiments.screening.presets import default


class WithValidation:
    """A store of which nothing is asked but whether volumes validate."""

    def num(self, split):
        assert split == "val"
        return 4


@pytest.fixture
def trained(monkeypatch):
    """Folders trained so far; a training leaves a validation score that is best at (1, 5, 0.1)."""
    folders = []

    def run_train(config, workdir, store):
        del store
        folders.append(str(workdir))
        o = config.objective
        score = 0.01 * (abs(o.alpha_vfi - 1) + abs(o.alpha_md - 5) + abs(o.alpha_psd - 0.1))
        folder = RunFolder(alpha.pathlib.Path(workdir))
        folder.root.mkdir(parents=True, exist_ok=True)
        scores = pd.DataFrame({"step": [1, 2], "case_brier": [score + 0.5, score]})
        scores.to_csv(folder.validation, index=False)
        return types.SimpleNamespace(exit_code=0)

    monkeypatch.setattr(alpha, "run_train", run_train)
    monkeypatch.setattr(alpha, "checked_store", lambda config, need: WithValidation())
    return folders


def test_the_best_weights_on_validation_are_found(trained, tmp_path, capsys):
    assert alpha.run_select_alpha(default(), str(tmp_path), [0.1, 1.0, 5.0]) == 0
    assert json.loads((tmp_path / "alpha.json").read_text()) == {"vfi": 1.0, "md": 5.0, "psd": 0.1}
    assert [folder for folder in trained if folder.endswith("stage1")] == [str(tmp_path / "stage1")]
    tries = pd.read_csv(tmp_path / "alpha.csv")
    assert len(tries) == len(set(trained)) - 1  # no weights are tried twice
    assert tries["validation case_brier"].min() == pytest.approx(0.0)
    assert "validation case_brier" in capsys.readouterr().out


def test_an_interrupted_search_says_so(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(alpha, "run_train", lambda *arguments: types.SimpleNamespace(exit_code=143))
    assert alpha.run_select_alpha(default(), str(tmp_path), [1.0]) == 143
    assert not (tmp_path / "alpha.json").exists()


def test_a_method_without_regression_is_refused(trained, tmp_path):
    config = default().stage1()
    with pytest.raises(UserError, match="no alpha"):
        alpha.run_select_alpha(config, str(tmp_path), [1.0])
    with pytest.raises(UserError, match="not negative"):
        alpha.run_select_alpha(default(), str(tmp_path), [-1.0])
