"""The study of the default recipe, from runs that only leave what runs leave."""

import json
import pathlib
import types

import pandas as pd
import pytest

from benchmarks import recipe
from experiments.config import RunConfig
from experiments.run_folder import RunFolder
from imo_jax.settings.fields import leaves

DIFFUSION = recipe.STUDIES["diffusion"]


def finish(out, name, seed, score, grade=True):
    folder = RunFolder(recipe.folder_of(out, name, seed))
    folder.evaluation.mkdir(parents=True)
    of = {metric: {"value": score} for metric in recipe.METRICS}
    if not grade:
        of["qwk"] = None
    summary = of | {"controls": {"one_step": of, "x_t_zeroed": of}}
    folder.summary.write_text(json.dumps(summary))
    rows = {"step": [175, 350], "score": [score, score - 0.1]}
    rows |= dict.fromkeys(("disc_dice", "cup_dice", "qwk"), [score, score])
    pd.DataFrame(rows).to_csv(folder.validation, index=False)
    eyes = {"id": ["a_OD", "b_OD"], "patient": ["a", "b"], "dice_disc": score, "dice_cup": score}
    eyes |= {"vcdr_true": 0.5, "vcdr_pred": 0.5, "grade_true": [0, 1], "grade_pred": [0, 1]}
    pd.DataFrame(eyes).to_csv(folder.evaluation / "per_eye.csv", index=False)


def test_finished_runs_are_gathered_as_means_over_the_seeds(tmp_path, capsys):
    for seed, score in enumerate((0.5, 0.75)):
        finish(tmp_path, "base", seed, score)
    finish(tmp_path, "dice_weight=0", 0, 0.25, grade=False)
    recipe.main([f"--out={tmp_path}", "--seeds=2", "--collect"])
    text = capsys.readouterr().out
    assert text == (tmp_path / "recipe.md").read_text()
    base, other = text.splitlines()[2:4]
    assert base.startswith(
        "| base | 2 | 0.625 \u00b1 0.177 |"
    )  # the best of each run's validations
    assert other.startswith("| dice_weight=0 | 1 | 0.250 | 0.250 | 0.250 | 0.250 | 0.250 | - | - |")
    # against the base with the same seed alone
    assert "| dice_weight=0 | -0.250 (-0.250 to -0.250) | -0.250 " in text
    flat = pd.read_csv(tmp_path / "recipe.csv")
    assert flat["x_t_zeroed"].tolist() == [0.5, 0.75, 0.25]
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_finished_run_is_not_made_again(tmp_path, monkeypatch):
    finish(tmp_path, "base", 0, 0.5)
    monkeypatch.setattr(recipe.subprocess, "run", lambda *_, **__: pytest.fail("it was run"))
    recipe.run_one(tmp_path, DIFFUSION, "base", 0, [])


def test_the_bases_run_first_and_lend_their_locators(tmp_path, monkeypatch, capsys):
    asked = []

    def run(command, **_):
        folder = pathlib.Path(command[3].partition("=")[2])
        asked.append((folder.name, [part for part in command if part.startswith("--locator=")]))
        name, _, seed = folder.name.rpartition("-seed")
        folder.rename(folder.with_name("begun"))
        finish(tmp_path, name, int(seed), 0.5)
        folder.with_name("begun").joinpath("log.txt").rename(folder / "log.txt")
        folder.with_name("begun").rmdir()
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(recipe.subprocess, "run", run)
    recipe.main([
        "--study=choices", f"--out={tmp_path}", "--seeds=2", "--only", "self-aligned",
    ])  # fmt: skip
    lent = [[f"--locator={tmp_path / f'base-seed{seed}'}"] for seed in (0, 1)]
    assert asked == [
        ("base-seed0", []), ("base-seed1", []), ("self-aligned-seed0", lent[0]),
        ("self-aligned-seed1", lent[1]),
    ]  # fmt: skip


def test_nothing_finished_is_said(tmp_path, capsys):
    with pytest.raises(SystemExit):
        recipe.main([f"--out={tmp_path}", "--collect"])
    assert "holds no finished run of base, signal_scale" in capsys.readouterr().err


def test_an_unknown_variant_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        recipe.main([f"--out={tmp_path}", "--only", "nonsense"])
    assert "no such variant: nonsense; there are base, signal_scale" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("study", "name"), [(s, n) for s in recipe.STUDIES for n in recipe.STUDIES[s].names]
)
def test_every_flag_makes_settings(study, name):
    given = {}
    for flag in recipe.STUDIES[study].flags(name):
        key, _, value = flag.removeprefix("--").partition("=")
        given |= {key: value} if value else {key.removeprefix("no"): str(not key.startswith("no"))}
    known = leaves(RunConfig())
    assert [flag for flag in given if flag not in known] == []
