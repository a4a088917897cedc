"""Every maker's tree with one thing as people have it: litter, other folders around, upper case."""

import shutil

import pytest
from public_trees import make
from test_cubes import root as cubes  # noqa: F401
from test_gamma import root as gamma  # noqa: F401
from test_imo_and_folder import mine, seg  # noqa: F401
from test_more_public_sets import (  # noqa: F401
    chaksu,
    drishti,
    g1020,
    grape,
    origa,
    rim_one,
    smdg,
)
from test_public_sets import gdp, harvard, papila, refuge  # noqa: F401

from data_pipelines.manifest import read_manifest, read_screening_manifest
from data_pipelines.manifest.makers.layouts import LAYOUTS

# Layout -> fixture of its tree.
TREES = {name: name for name in LAYOUTS} | {"imo": "seg", "folder": "mine"}


def rows(layout, out):
    """What a manifest says, but for where files lie."""
    table = out / "manifest.csv"
    if LAYOUTS[layout].screening:
        return [(v.id, v.split, v.glaucoma, v.md) for v in read_screening_manifest(table).volumes]
    return [
        (e.id, e.patient, e.split, e.glaucoma, e.grade, e.mask is not None, e.oct is not None)
        for e in read_manifest(table).eyes
    ]


@pytest.fixture(params=sorted(LAYOUTS))
def tree(request, tmp_path):
    """(layout, root, what its manifest says)."""
    layout, root = request.param, request.getfixturevalue(TREES[request.param])
    root = root.rename(tmp_path / "whole")
    assert make(layout, root, tmp_path / "expected") == 0
    return layout, root, rows(layout, tmp_path / "expected")


def test_litter_of_systems_is_passed_over(tree, tmp_path):
    layout, root, expected = tree
    shutil.copytree(root, tmp_path / "copy")
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        first = next((file for file in sorted(folder.iterdir()) if file.is_file()), None)
        for name in ("Thumbs.db", ".DS_Store", "desktop.ini", f"._{first and first.name}"):
            (folder / name).write_bytes(b"litter")
    shutil.copytree(tmp_path / "copy", root / "__MACOSX")
    assert make(layout, root, tmp_path / "out") == 0
    assert rows(layout, tmp_path / "out") == expected


def test_folders_that_an_unzip_tool_puts_around_it(tree, tmp_path, capsys):
    layout, root, expected = tree
    deeper = tmp_path / "doubled" / "set" / "set"
    shutil.copytree(root, deeper)
    done = make(layout, tmp_path / "doubled", tmp_path / "out")
    if layout == "folder":  # any folder of pictures would do: it says where one is
        assert done == 1 and f"give --root={deeper}" in capsys.readouterr().err
        done = make(layout, deeper, tmp_path / "out")
    assert done == 0 and rows(layout, tmp_path / "out") == expected


def test_suffixes_in_capitals(tree, tmp_path):
    layout, root, expected = tree
    for file in sorted(root.rglob("*")):
        if file.is_file() and file.suffix:
            file.rename(file.with_suffix(file.suffix.upper()))
    assert make(layout, root, tmp_path / "out") == 0
    assert rows(layout, tmp_path / "out") == expected


# What a tree may lack -> what is said: the file's pattern, and words of a warning or an error.
MASKS = {
    "refuge": ("n0002.bmp", "have no mask (n0002)"),
    "papila": ("RET002OD_cup_exp*.txt", "no mask"),
    "drishti": ("drishtiGS_002_cupsegSoftmap.png", "no mask"),
    "rim_one": ("r2_Im002-1-Cup-T.png", "have no NAME-1-Disc-T.png"),
    "origa": ("00*.*at", "have no Masks/NNN.png or .mat"),
    "grape": ("1_OD_2.json", "have no outline OD in json/NAME.json: 1_OD_2"),
}
LABELS = {
    "refuge": ("Fovea_locations.xlsx", "have no label"),
    "papila": ("patient_data_od.xlsx", "these eyes get no label"),
    "drishti": ("*diagnosis*.xlsx", "no eye gets a label"),
    "origa": ("OrigaList.csv", "no eye gets a label"),
    "smdg": ("metadata*.csv", "no eye gets a label"),
    "g1020": ("G1020.csv", "no eye gets a label"),
    "harvard": ("data_summary.csv", "has no data_summary*.csv"),
    "imo": ("class_label.txt", "no eye gets a grade"),
}


@pytest.mark.parametrize(
    ("layout", "pattern", "said"),
    [(name, *gap) for gaps in (MASKS, LABELS) for name, gap in gaps.items()],
)
def test_a_file_that_is_missing_is_named(layout, pattern, said, request, tmp_path, capsys):
    root = request.getfixturevalue(TREES[layout])
    files = list(root.rglob(pattern))
    assert files
    for file in files:
        file.unlink()
    make(layout, root, tmp_path / "out")
    told = capsys.readouterr()
    assert said in told.out + told.err
