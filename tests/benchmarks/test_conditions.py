"""Photographs under other conditions: what each does to picture and mask, and that the two stay together."""

import csv
import types

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import conditions
from benchmarks.labelled_eyes import read_labelled_eyes
from imo_jax.predictor.eyes import EyePredictor

COLOURS = np.array(
    [[40, 60, 20], [120, 100, 80], [200, 220, 240]], np.uint8
)  # of background, rim, cup


def eye(centre=(40, 90), radius=16, side=128):
    """A mask of a disc with a cup of half its size, and a photograph whose colours tell the classes."""
    rows, columns = np.mgrid[:side, :side]
    distance = np.hypot(rows - centre[0], columns - centre[1])
    mask = ((distance <= radius).astype(np.uint8) + (distance <= radius / 2)).astype(np.uint8)
    return COLOURS[mask], mask


class Oracle(EyePredictor):
    """Reads the classes from the colours, black as background."""

    def __init__(self):
        self.seen = []

    def stream(self, photographs, scans):
        for photograph in photographs:
            self.seen.append(photograph)
            far = np.abs(photograph[..., None, :].astype(int) - COLOURS).sum(axis=-1)
            classes = np.where(photograph.max(axis=-1) == 0, 0, far.argmin(axis=-1))
            yield types.SimpleNamespace(probabilities=np.eye(3, dtype=np.float32)[classes])


@pytest.fixture
def manifest(tmp_path):
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "patient", "split", "fundus", "mask"])
        for i, centre in enumerate([(40, 90), (70, 60), (80, 70)]):
            photograph, mask = eye(centre)
            Image.fromarray(photograph).save(tmp_path / f"{i}.png")
            Image.fromarray(mask).save(tmp_path / f"{i}_mask.png")
            writer.writerow([f"e{i}", f"p{i}", "test", f"{i}.png", f"{i}_mask.png"])
    return tmp_path / "manifest.csv"


@pytest.mark.parametrize(
    "condition", [conditions.as_it_is, conditions.mirrored, conditions.upside_down,
                  conditions.disc_centred, conditions.cropped_at_the_disc],
)  # fmt: skip
def test_mask_and_photograph_stay_together(manifest, condition):
    found = conditions.records(Oracle(), read_labelled_eyes(manifest, "test", 32), condition)
    scores = conditions.row("", found)
    assert scores["discs found"] == "3/3"
    assert scores["disc Dice"]["value"] == scores["cup Dice"]["value"] == 1
    assert scores["vertical CDR error"]["value"] == 0


def test_a_wider_field_is_the_eye_at_half_its_size():
    photograph, mask = conditions.wide_field(*eye())
    assert photograph.shape == (128, 128, 3)
    assert photograph[:, :64].max() == photograph[:32].max() == photograph[96:].max() == 0
    # (40, 90) of 128 -> (32 + 20, 64 + 45)
    rows, columns = np.nonzero(mask)
    assert np.hypot(rows.mean() - 52, columns.mean() - 109) < 1
    assert (mask > 0).sum() == pytest.approx((eye()[1] > 0).sum() / 4, rel=0.1)
    assert np.abs(photograph[52, 109].astype(int) - COLOURS[2]).max() <= 2
    assert np.abs(photograph[52, 70].astype(int) - COLOURS[0]).max() <= 2


def test_crops_place_the_disc():
    _, mask = conditions.disc_centred(*eye())
    assert mask.shape == (99, 99)  # three times 33 rows
    rows, columns = np.nonzero(mask)
    assert abs(rows.mean() - 49) <= 1 and abs(columns.mean() - 49) <= 1
    _, mask = conditions.cropped_at_the_disc(*eye())
    rows, columns = np.nonzero(mask)
    assert mask.shape == (132, 132)
    assert abs(rows.min() - 33 / 4) <= 1 and abs(columns.min() - 33 / 4) <= 1


def test_light_and_colour():
    photograph, mask = eye()
    assert conditions.dark(photograph, mask)[0][0, 0].tolist() == [16, 24, 8]
    assert conditions.pale(photograph, mask)[0][0, 0].tolist() == [100, 110, 90]
    assert np.ptp(conditions.grey(photograph, mask)[0], axis=-1).max() == 0
    soft = conditions.blurred(photograph, mask)[0].astype(int)
    assert (
        0
        < np.abs(np.diff(soft, axis=1)).max()
        < np.abs(np.diff(photograph.astype(int), axis=1)).max()
    )
    assert (
        0 < np.abs(conditions.coarse_jpeg(photograph, mask)[0].astype(int) - photograph).mean() < 8
    )


def test_the_table_holds_every_condition(manifest, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(conditions.imo_jax, "load", lambda run: Oracle())
    out = tmp_path / "new" / "conditions.csv"
    assert conditions.main(["--run=x", f"--manifest={manifest}", f"--out={out}"]) == 0
    table = pd.read_csv(out)
    assert list(table["photographs"])[:2] == ["as it is", "mirrored"]
    assert len(table) == len(conditions.CONDITIONS)
    assert "| as it is | 3/3 | 1.000 (1.000 to 1.000) |" in capsys.readouterr().out


def test_what_cannot_be_measured_is_said(manifest, monkeypatch, capsys):
    monkeypatch.setattr(conditions.imo_jax, "load", lambda run: object())
    assert conditions.main(["--run=x", f"--manifest={manifest}"]) == 1
    assert "x: not a run on photographs" in capsys.readouterr().err
    manifest.write_text("id,patient,split,fundus,mask\n")
    assert conditions.main(["--run=x", f"--manifest={manifest}"]) == 1
    assert "no eye with a mask in split test" in capsys.readouterr().err
