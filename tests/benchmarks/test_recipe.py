"""The study of the default recipe, from runs that only leave what runs leave."""

import json

import pandas as pd
import pytest

from benchmarks import recipe
from experiments.config import RunConfig
from experiments.run_folder import RunFolder
from imo_jax.settings.fields import leaves


def finish(out, name, seed, score):
    folder = RunFolder(recipe.folder_of(out, name, seed))
    folder.evaluation.mkdir(parents=True)
    of = {metric: {"value": score} for metric in recipe.METRICS}
    summary = of | {"controls": {"one_step": of, "x_t_zeroed": of}}
    folder.summary.write_text(json.dumps(summary))
    rows = {"step": [175, 350], "score": [score, score - 0.1]}
    rows |= dict.fromkeys(("disc_dice", "cup_dice", "qwk"), [score, score])
    pd.DataFrame(rows).to_csv(folder.validation, index=False)


def test_finished_runs_are_gathered_as_means_over_the_seeds(tmp_path, capsys):
    for seed, score in enumerate((0.5, 0.75)):
        finish(tmp_path, "base", seed, score)
    finish(tmp_path, "dice_weight=0", 0, 0.25)
    recipe.main([f"--out={tmp_path}", "--seeds=2", "--collect"])
    text = capsys.readouterr().out
    assert text == (tmp_path / "recipe.md").read_text()
    base, other = text.splitlines()[2:]
    assert base.startswith("| base | 2 | 0.625 \u00b1 0.177 |")  # the best of each run's validations
    assert other.startswith("| dice_weight=0 | 1 | 0.250 | 0.250 |")
    flat = pd.read_csv(tmp_path / "recipe.csv")
    assert flat["x_t_zeroed"].tolist() == [0.5, 0.75, 0.25]
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_finished_run_is_not_made_again(tmp_path, monkeypatch):
    finish(tmp_path, "base", 0, 0.5)
    monkeypatch.setattr(recipe.subprocess, "run", lambda *_, **__: pytest.fail("it was run"))
    recipe.run_one(tmp_path, "base", 0, [])


@pytest.mark.parametrize("name", recipe.VARIANTS)
def test_every_flag_is_a_setting(name):
    known = leaves(RunConfig())
    flags = [flag[2:].partition("=")[0] for flag in (*recipe.BASE, *recipe.VARIANTS[name])]
    assert [flag for flag in flags if flag not in known] == []
