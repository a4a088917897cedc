"""What is said of a volume's axes and numbers: by columns, flags and calls, and what then is doubted."""

import numpy as np
import pytest
from PIL import Image

from data_pipelines import quality
from data_pipelines.bad_file import BadFile
from data_pipelines.manifest import ManifestError, read_manifest
from data_pipelines.manifest.check import check_manifest, check_screening_manifest
from data_pipelines.manifest.multimodal import Eye, write_manifest
from data_pipelines.manifest.problems import Problem, format_problems
from data_pipelines.manifest.screening import (
    ScreeningVolume,
    read_screening_manifest,
    write_screening_manifest,
)
from data_pipelines.volume_form import ORDERS, VolumeForm, parse_axes, parse_range
from data_pipelines.volumes import read_volume

VOLUME = np.random.default_rng(0).integers(0, 256, (9, 12, 10), np.uint8)


@pytest.mark.parametrize("order", ORDERS)
def test_axes_in_any_order(tmp_path, order):
    axes = order.split(",")
    stored = VOLUME.transpose([("slices", "depth", "width").index(axis) for axis in axes])
    np.save(tmp_path / "v.npy", stored)
    read = read_volume(tmp_path / "v.npy", VolumeForm(axes=order))
    np.testing.assert_array_equal(read, VOLUME)


def test_numbers_by_hand(tmp_path):
    decibel = np.array([-5, 0, 10, 20, 40, 60], np.float32).reshape(1, 2, 3)
    np.save(tmp_path / "v.npy", decibel)
    read = read_volume(tmp_path / "v.npy", VolumeForm(range="0..40"))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read.ravel(), [0, 0, 64, 128, 255, 255])
    with pytest.raises(BadFile, match="holds -5 to 60, all beyond the range 100..200"):
        read_volume(tmp_path / "v.npy", VolumeForm(range="100..200"))


@pytest.mark.parametrize("text", ["depth,width", "depth,depth,width", "x,y,z", ""])
def test_axes_that_are_none(text):
    with pytest.raises(ValueError, match="give the order in the file"):
        parse_axes(text)


@pytest.mark.parametrize("text", ["40", "40..0", "a..b", "0..nan", "1..1", "0..inf", (0, 40)])
def test_ranges_that_are_none(text):
    with pytest.raises(ValueError, match="give the numbers of black and white"):
        parse_range(text)


def test_how_people_write_it():
    assert parse_axes("Depth width  slices") == "depth,width,slices"
    assert parse_range("-2.5..1e2") == (-2.5, 100.0)


def test_what_is_said_is_not_doubted():
    rows = np.linspace(0, 3, 64)
    layered = np.broadcast_to(np.sin(9 * rows)[:, None, None], (64, 48, 8))
    odd = (20 * layered + 20 + np.random.default_rng(0).random((64, 48, 8))).astype(np.float32)
    doubts = " ".join(quality.volume_doubts(odd))
    assert "--oct_axes=depth,width,slices" in doubts and "--oct_range=LOW..HIGH" in doubts
    form = VolumeForm("depth,width,slices", "0..40")
    assert quality.volume_doubts(form.of(odd, "v"), form) == []


@pytest.fixture
def table(tmp_path):
    """A manifest of two eyes, of which the first says what its volume is."""

    def written(**said):
        eyes = []
        for number, own in enumerate([said, {}]):
            np.save(tmp_path / f"{number}.npy", VOLUME.transpose(1, 2, 0).astype(np.float32) / 6)
            pixels = np.random.default_rng(number).integers(0, 99, (40, 40, 3)) + [90, 40, 10]
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
            files = (tmp_path / f"{number}.png", tmp_path / f"{number}.npy")
            eyes.append(Eye(f"e{number}", f"p{number}", "", *files, **own))
        write_manifest(tmp_path / "manifest.csv", eyes)
        return tmp_path / "manifest.csv"

    return written


SAID = {"oct_axes": "depth,width,slices", "oct_range": "0..42.5"}


def test_a_column_says_it_of_its_row_and_a_flag_of_the_others(table):
    path = table(**SAID)
    assert path.read_text().splitlines()[0].endswith("grade,oct_axes,oct_range")
    own, other = read_manifest(path).eyes
    assert own.oct_form == VolumeForm(**{k[4:]: v for k, v in SAID.items()})
    assert other.oct_form == VolumeForm()
    flag = VolumeForm(range="0..50")
    own, other = read_manifest(path, None, flag).eyes
    assert (own.oct_range, other.oct_range) == ("0..42.5", "0..50")
    np.testing.assert_array_equal(read_volume(own.oct, own.oct_form), VOLUME)


def test_a_cell_that_is_none_is_a_problem_of_its_row(table):
    path = table(**SAID)
    path.write_text(path.read_text().replace("0..42.5", "0-42.5"))
    with pytest.raises(ManifestError, match="oct_range is '0-42.5'"):
        read_manifest(path)


def test_a_check_remembers_what_was_said(table, tmp_path):
    path, memory = table(), tmp_path / "memory"
    before = check_manifest(path, memory=memory)
    assert len([p for p in before if "stretched to black and white" in p.reason]) == 2
    said = VolumeForm("depth,width,slices", "0..42.5")
    assert not [p for p in check_manifest(path, memory=memory, oct_form=said) if "oct" in p.reason]
    assert check_manifest(path, memory=memory) == before


def test_the_screening_manifest_has_the_columns_too(tmp_path):
    np.save(tmp_path / "v.npy", VOLUME)
    volume = ScreeningVolume("v", "p", "OD", "1", "train", tmp_path / "v.npy", 1, **SAID)
    write_screening_manifest(tmp_path / "screening.csv", [volume])
    (read,) = read_screening_manifest(tmp_path / "screening.csv").volumes
    assert read.oct_form == VolumeForm("depth,width,slices", "0..42.5")


def test_a_set_of_different_numbers_is_doubted_once(tmp_path):
    volumes = []
    for number in range(12):
        stored = VOLUME if number < 10 else VOLUME.astype(np.float32) / 255
        np.save(tmp_path / f"{number}.npy", np.roll(stored, number, axis=2))
        names = (f"v{number}", f"p{number}", "OD", "1", "train", tmp_path / f"{number}.npy", 1)
        volumes.append(ScreeningVolume(*names))
    path = tmp_path / "screening.csv"
    write_screening_manifest(path, volumes)
    (problem,) = check_screening_manifest(path)
    assert problem.severity == "warning" and problem.row is None
    assert "10 of 8-bit grey; 2 of 0 to 1 (lines 12, 13)" in problem.reason
    write_screening_manifest(path, volumes[:10])
    said = []
    assert check_screening_manifest(path, say=said.append) == []
    assert said == ["OCT volumes by their numbers: 10 of 8-bit grey"]


def test_a_set_whose_black_and_white_are_guessed_in_part_is_refused(tmp_path):
    volumes = []
    for number in range(4):
        stored = VOLUME if number else VOLUME.astype(np.float32) / 6
        np.save(tmp_path / f"{number}.npy", np.roll(stored, number, axis=2))
        form = {} if number else {"oct_range": "0..42.5"}
        names = (f"v{number}", f"p{number}", "OD", "1", "train", tmp_path / f"{number}.npy", 1)
        volumes.append((names, form))
    path = tmp_path / "screening.csv"
    write_screening_manifest(path, [ScreeningVolume(*names) for names, _ in volumes])
    (problem,) = [p for p in check_screening_manifest(path) if p.row is None]
    assert problem.severity == "error"
    assert "3 of 8-bit grey (lines 3, 4, 5); 1 of decibel, stretched (line" in problem.reason
    write_screening_manifest(path, [ScreeningVolume(*names, **form) for names, form in volumes])
    said = []
    assert check_screening_manifest(path, say=said.append) == []
    assert said == ["OCT volumes by their numbers: 3 of 8-bit grey; 1 of 0..42.5 as said"]


def test_errors_that_say_the_same_are_said_once():
    problems = [Problem(row, f"{row}.png", "holds 0 and 255") for row in range(2, 8)]
    problems.append(Problem(9, "9.png", "holds 0 and 255", "warning"))
    assert format_problems(problems).splitlines() == [
        "error: line 2: 2.png: holds 0 and 255",
        "error: and 5 more like it, lines 3, 4, 5, 6, 7",
        "warning: line 9: 9.png: holds 0 and 255",
        "6 errors, 1 warning",
    ]


def test_warnings_that_say_the_same_are_said_once():
    def warned(row, number):
        return Problem(row, f"{row}.npy", f"holds 0 to {number}: it is stretched", "warning")

    problems = [warned(row, 40 + row / 8) for row in range(2, 52)]
    problems.insert(3, Problem(4, "4.npy", "does not exist"))
    lines = format_problems(problems).splitlines()
    assert lines[0] == "warning: line 2: 2.npy: holds 0 to 40.25: it is stretched"
    assert lines[1].startswith("warning: and 49 more like it, lines 3, 4, 5,")
    assert lines[1].endswith(", 22, ...")
    assert lines[2:] == ["error: line 4: 4.npy: does not exist", "1 error, 50 warnings"]
    few = format_problems(problems[:3]).splitlines()
    assert len(few) == 4 and all("stretched" in line for line in few[:3])
