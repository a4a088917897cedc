"""Whole tables from runs without training: what is run, chosen, written; figures by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from experiments import tables
from experiments.comparison.eyes import labelled_eye, some_eyes
from experiments.comparison.finished import described, finished_row
from experiments.comparison.rows import TABLES
from experiments.comparison.settings import Study
from experiments.comparison.stores import Stores
from experiments.runtime import UserError
from experiments.studies import chosen_rows
from imo_jax.predictor.locator import NOT_LOCATED
from imo_jax.report.comparison_eyes import seen_by_all

MORE = ("--bootstrap=30",)


def study(tmp_path, **changes):
    changes = {"manifests": ("m.csv",), "rates": (1e-3,), "extra": MORE, **changes}
    return Study(out=tmp_path, **changes)


def line_of(text, start):
    return next(line for line in text.splitlines() if line.startswith(start))


def test_unknown_rows_are_named():
    with pytest.raises(UserError, match="resnet101: there are unetpp"):
        chosen_rows(TABLES[1].rows, ["imo", "resnet101"])
    found = chosen_rows(TABLES[1].rows, ["imo", "unetpp"])
    assert [row.name for row in found] == ["unetpp", "imo"]


def test_table_1_from_beginning_to_end(fake, tmp_path, capsys):
    asked = study(tmp_path, seeds=2)
    names = ["unetpp", "segformer", "imo", "ensemble"]
    assert tables.run_table(asked, 1, names) == 0
    text = (tmp_path / "table1" / "table.md").read_text()
    assert text.strip() == capsys.readouterr().out.strip()
    assert "m.csv" in text and "8 of 5 patients" in text and "500 steps" in text
    assert "squares of 2 disc diameters, found by one network for all rows" in text
    assert "from scratch." in text

    flat = pd.read_csv(tmp_path / "table1" / "table.csv")
    assert set(flat["row"]) == {*names} and set(flat["seed"].dropna()) == {0, 1}
    score = flat[flat["kind"] == "score"]
    mean = score[(score["row"] == "unetpp") & (score["key"] == "disc_dice")]["value"].mean()
    assert f"| {mean:.3f} (" in text
    assert {"score", "minus_imo", "p", "cost", "paper"} == set(flat["kind"])
    assert (flat[flat["kind"] == "cost"]["key"] == "flops").sum() == 4

    assert "0.899" in line_of(text, "| IMO |") and "0.901" in line_of(text, "| IMO |")
    assert "quadratic" not in text  # Table 1 grades nothing
    assert "; seeds " in text and "Seeds: the smallest" in text
    for name in ("intervals.png", "eyes.png"):
        assert np.asarray(Image.open(tmp_path / "table1" / name)).std() > 0


def test_discs_that_were_not_found_are_counted(fake, tmp_path, monkeypatch):
    lost = dict.fromkeys(["fold0-eye1", "fold0-eye4", "of another split"], (NOT_LOCATED,))
    evaluation_store = tables.evaluation_store

    def with_doubts(*given):
        store = evaluation_store(*given)
        store.doubts = lost
        return store

    tables.run_table(study(tmp_path), 1, ["imo"])
    table = tmp_path / "table1" / "table.md"
    assert "no disc was found" not in table.read_text()
    monkeypatch.setattr(tables, "evaluation_store", with_doubts)
    tables.run_table(study(tmp_path), 1, ["imo"])
    assert "no disc was found in 2 of 8 test eyes: these were seen whole" in table.read_text()


def test_the_ensemble_takes_the_segmenter_that_validates_best(fake, tmp_path):
    best = {"unetpp": 0.5, "segformer": 0.8, None: 0.9}
    fake.score = lambda config: best[getattr(config.model, "network", None)]
    tables.run_table(study(tmp_path), 1, ["unetpp", "segformer", "imo", "ensemble"])
    text = (tmp_path / "table1" / "table.md").read_text()
    cost = [line for line in text.splitlines() if line.startswith("| SegFormer + IMO |")]
    assert any("| 2,468 | 5 | 24 | 2 |" in line for line in cost)  # sums of both
    assert "UNet++ + IMO" not in text
    assert [p.name for p in (tmp_path / "ensemble").iterdir()] == [
        "fold0-seed0-segformer-imo-rate0.001-rate0.001"
    ]


@pytest.mark.parametrize(
    ("manifests", "rates", "says"),
    [
        (("m.csv",), (1e-3, 3e-3), False),
        (("a.csv", "b.csv"), (1e-3,), False),
        (("a.csv", "b.csv"), (1e-3, 3e-3), True),
    ],
)
def test_rates_that_are_chosen_in_each_fold_are_said(tmp_path, manifests, rates, says):
    asked = study(tmp_path, manifests=manifests, rates=rates)
    text = described(asked, [TABLES[1].rows[0]])
    assert ("chosen in each on its own validation eyes" in text) == says


def test_an_ensemble_without_its_members_says_what_to_do(fake, tmp_path):
    with pytest.raises(UserError, match="needs finished runs of imo and of a segmenter"):
        tables.run_table(study(tmp_path), 1, ["ensemble"])


def test_tables_share_imos_runs_and_a_finished_table_runs_nothing(fake, tmp_path):
    tables.run_table(study(tmp_path), 2, ["vit", "imo"])
    before = list(fake.trained), list(fake.evaluated)
    tables.run_table(study(tmp_path), 3, ["imo"])
    assert (fake.trained, fake.evaluated) == before


def test_table_2_is_of_grades(fake, tmp_path):
    tables.run_table(study(tmp_path, rates=(1e-3, 3e-3)), 2, ["vit", "imo"])
    text = (tmp_path / "table2" / "table.md").read_text()
    assert "kappa" in text and "Dice per eye" not in text and "Wilcoxon" not in text
    assert "Differences are paired" in text and "Seeds:" not in text  # of a single seed
    assert "| 0.750 |" in line_of(text, "| IMO |")
    assert "| 0.001 | 0.003 (chosen) |" in line_of(text, "| ViT | 0.001")  # the fake's score is the rate
    assert np.asarray(Image.open(tmp_path / "table2" / "eyes.png")).std() > 0


def test_table_3_leaves_gaps_where_a_head_is_missing(fake, tmp_path):
    names = ["imo_without_grading", "imo_without_segmentation", "imo"]
    tables.run_table(study(tmp_path), 3, names)
    text = (tmp_path / "table3" / "table.md").read_text()
    segmented = line_of(text, "| w/o segmentation |")
    assert segmented == "| w/o segmentation | - | - | - | - | - | - |"
    assert "0.0047" in text


def test_folds_are_pooled(fake, tmp_path):
    asked = study(tmp_path, manifests=("m_fold0.csv", "m_fold1.csv"), seeds=2)
    tables.run_table(asked, 2, ["vit", "imo"])
    text = (tmp_path / "table2" / "table.md").read_text()
    assert "16 of 10 patients" in text and "2 folds" in text


def test_folds_may_choose_different_rates(fake, tmp_path):
    def score(config):
        rate = config.optimiser.learning_rate
        return rate if config.data.manifest == "m_fold1.csv" else 1 - rate

    fake.score = score
    manifests = ("m_fold0.csv", "m_fold1.csv", "m_fold2.csv")
    tables.run_table(study(tmp_path, manifests=manifests, rates=(0.1, 0.3)), 2, ["vit", "imo"])
    text = (tmp_path / "table2" / "table.md").read_text()
    said = "| ViT | 0.633 (chosen in 2 of 3 folds) | 0.567 (chosen in 1 of 3 folds) |"
    assert said in line_of(text, "| ViT | 0.6")


def test_an_interrupted_table_says_so(fake, tmp_path):
    fake.code = 143
    assert tables.run_table(study(tmp_path), 2, ["vit", "imo"]) == 143
    assert not (tmp_path / "table2").exists()


def test_some_eyes_span_the_cup_sizes(store):
    # Cups of radius 3, 5, 7 and a tenth of the position: eyes 0, 3, 6, 1, 4, 7, 2, 5 in order.
    assert [eye.index for eye in some_eyes(store)] == [0, 6, 7, 5]


def test_a_table_of_grades_draws_no_outlines(fake, tmp_path, store):
    tables.run_table(study(tmp_path), 2, ["vit", "imo"])
    finished = [
        finished_row(study(tmp_path), row, Stores())
        for row in chosen_rows(TABLES[2].rows, ["imo"])
    ]
    eye = labelled_eye(store, 0)
    graded, both = (seen_by_all(finished, eye, heads) for heads in (("grade",), TABLES[3].heads))
    assert graded.methods["IMO"].ids is None and len(graded.methods["IMO"].lines) == 1
    assert both.methods["IMO"].ids.shape == (32, 32) and len(both.methods["IMO"].lines) == 2
    assert graded.truth.lines == ("normal",) and both.truth.lines == ("vertical CDR 0.26", "normal")


def test_the_command_line(fake, tmp_path, capsys):
    given = ["--table=2", "--manifest=m.csv", f"--out={tmp_path}", "--only=vit,imo", "--seeds=2"]
    assert tables.main([*given, "--rates=1e-3", "--bootstrap=20", "--train_steps=30"]) == 0
    assert "2 seed(s)" in capsys.readouterr().out
    config = json.loads((tmp_path / "vit/fold0-seed1-rate0.001/config.json").read_text())
    assert config["loop"]["train_steps"] == 30
    assert tables.main([*given, "--no_such=1"]) == 2
    assert "no_such" in capsys.readouterr().err
    assert tables.main([*given, "--folds=2"]) == 2
    assert "m_fold0.csv" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["--only=nosuch", "--train_stepz=3", "--image_size=33"])
def test_what_cannot_be_is_refused_before_a_phantom_is_made(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    assert tables.main(["--table=1", wrong]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", ["--rates=0", "--rates=1,1", "--rates=nan", "--rates=1,inf", "--rates=abc",
              "--seeds=0", "--pretrained=vit", "--table=4"],
)  # fmt: skip
def test_a_bad_command_line_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        tables.main(["--table=1", wrong])
    assert wrong.partition("=")[0] in capsys.readouterr().err
