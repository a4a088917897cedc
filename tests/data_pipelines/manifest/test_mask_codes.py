"""Masks of other values than ids, as a column of their manifest says: read, checked, prepared."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from data_pipelines.load.examples import WorkingGrid, read_record
from data_pipelines.manifest import ManifestError, read_manifest, write_manifest
from data_pipelines.manifest.check import check_manifest
from data_pipelines.manifest.mask_codes import parse_mask_codes, read_mask
from data_pipelines.manifest.multimodal import Eye

SIDE = 64
IDS = np.zeros((SIDE, SIDE), np.uint8)
IDS[20:44, 20:44] = 1
IDS[28:36, 28:36] = 2


@pytest.fixture
def table(tmp_path):
    """table(codes=..., stored=...): a manifest of an eye with a mask of ids, and one of values."""

    def written(codes: str | None, stored: np.ndarray):
        eyes = []
        for number, (mask, said) in enumerate([(IDS, None), (stored, codes)]):
            rows = np.linspace(60, 200, SIDE)[:, None, None] + number
            colours = rows * np.array([1, 0.6, 0.3]) * np.ones((1, SIDE, 1))
            fundus, file = (tmp_path / f"{number}{end}.png" for end in ("", "_mask"))
            Image.fromarray(colours.astype(np.uint8)).save(fundus)
            Image.fromarray(mask.astype(np.uint8)).save(file)
            eyes.append(Eye(f"e{number}", f"p{number}", "", fundus, None, file, mask_codes=said))
        write_manifest(tmp_path / "manifest.csv", eyes)
        return tmp_path / "manifest.csv"

    return written


def values(bg, rim, cup):
    return np.array([bg, rim, cup], np.uint8)[IDS]


@pytest.mark.parametrize(
    ("codes", "stored"),
    [
        ("bg:255,rim:128,cup:0", values(255, 128, 0)),
        ("gamma", values(255, 128, 0)),
        ("rising", values(0, 128, 255)),
        ("bg:9 rim:8 cup:7 ignore:6", values(9, 8, 7)),
    ],
)
def test_a_column_says_what_the_values_of_its_row_mean(table, codes, stored):
    path = table(codes, stored)
    assert path.read_text().splitlines()[0].endswith("grade,mask_codes")
    assert check_manifest(path) == []
    of_ids, of_codes = read_manifest(path).eyes
    assert (of_ids.mask_codes, of_codes.mask_codes) == (None, codes)
    np.testing.assert_array_equal(read_mask(of_codes.mask, codes), IDS)
    prepared, expected = (
        read_record(eye, WorkingGrid(SIDE, None)) for eye in (of_codes, of_ids)
    )
    np.testing.assert_array_equal(prepared["mask"], expected["mask"])
    assert prepared["native_mask"] == expected["native_mask"]


def test_the_cup_of_a_disc_alone_is_not_known(table):
    path = table("bg:0,disc:255", values(0, 255, 255))
    assert check_manifest(path) == []
    eye = read_manifest(path).eyes[1]
    # Of a disc of 24 pixels a ring of one is rim.
    row = read_mask(eye.mask, eye.mask_codes)[32]
    assert row.tolist() == [0] * 20 + [1] + [255] * 22 + [1] + [0] * 20


@pytest.mark.parametrize("codes", ["bg:0", "bg:0,rim:1", "red:3", "bg:0,disc:300", "gama"])
def test_a_cell_that_says_nothing_is_a_problem_of_its_row(table, codes):
    path = table(codes, IDS)
    with pytest.raises(ManifestError, match=r"line 3: mask_codes .*; give one of ids, gamma"):
        read_manifest(path)
    assert [p.row for p in check_manifest(path) if "mask_codes" in p.reason] == [3]


def test_a_value_that_the_column_does_not_name(table):
    stored = values(0, 128, 255)
    stored[0, :5] = 77
    (problem,) = check_manifest(table("rising", stored))
    assert (problem.row, problem.severity) == (3, "error")
    assert "not among its codes 0, 128, 255: 77 (5 pixels)" in problem.reason
    assert "a column mask_codes" in problem.reason


def test_codes_that_are_swapped(table):
    (problem,) = check_manifest(table("bg:255,rim:0,cup:128", values(255, 128, 0)))
    assert problem.severity == "error"
    assert "rim inside its cup, read as 255 background, 0 rim, 128 cup" in problem.reason


def test_other_values_than_ids_without_a_column(table):
    (problem,) = check_manifest(table(None, values(255, 128, 0)))
    assert "say `gamma` in a column mask_codes" in problem.reason


def test_a_check_remembers_what_was_said(table, tmp_path):
    path, memory = table("gamma", values(255, 128, 0)), tmp_path / "memory"
    assert check_manifest(path, memory=memory) == []
    said = path.read_text()
    path.write_text(said.replace("gamma", "rising"))
    (problem,) = check_manifest(path, memory=memory)
    assert "rim" in problem.reason or "codes" in problem.reason
    path.write_text(said)
    assert check_manifest(path, memory=memory) == []


def test_several_spellings():
    expected = {255: 0, 128: 1, 0: 2}
    for text in ("gamma", "bg:255,rim:128,cup:0", "bg:255, rim:128, cup:0", "bg:255 rim:128 cup:0"):
        assert parse_mask_codes(text) == expected


def test_a_manifest_keeps_them(table):
    path = table("gamma", values(255, 128, 0))
    eyes = read_manifest(path).eyes
    write_manifest(path, [dataclasses.replace(eye, split="train") for eye in eyes])
    assert [eye.mask_codes for eye in read_manifest(path).eyes] == [None, "gamma"]
