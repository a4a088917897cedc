"""Every maker's tree with one thing as people have it (litter, other folders around, upper case), and with
one thing wrong: a mask missing, codes swapped, labels absent."""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from public_trees import make, picture
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
from test_public_sets import (  # noqa: F401
    DIAGNOSES,
    gdp,
    harvard,
    papila,
    papila_sheets,
    refuge,
)

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


def test_a_folder_is_recognised(tree, tmp_path, capsys):
    layout, root, expected = tree
    assert make("auto", root, tmp_path / "out") == 0
    assert f"the layout is {layout}" in capsys.readouterr().out
    assert rows(layout, tmp_path / "out") == expected


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
        assert done == 1 and f"there is one below: give --root={deeper}" in capsys.readouterr().err
        done = make(layout, deeper, tmp_path / "out")
    assert done == 0 and rows(layout, tmp_path / "out") == expected


def test_suffixes_in_capitals(tree, tmp_path):
    layout, root, expected = tree
    for file in sorted(root.rglob("*")):
        if file.is_file() and file.suffix:
            file.rename(file.with_suffix(file.suffix.upper()))
    assert make(layout, root, tmp_path / "out") == 0
    assert rows(layout, tmp_path / "out") == expected


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_what_was_looked_for_and_what_is_there(layout, tmp_path, capsys):
    (tmp_path / "data/Holidays").mkdir(parents=True)
    (tmp_path / "data/Holidays/beach.jpeg").write_bytes(b"x")
    (tmp_path / "data/letter.txt").write_text("x")
    assert make(layout, tmp_path / "data", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "there is Holidays/, letter.txt" in told
    assert any(
        words in told for words in ("looked for", "no folder images/", "neither", "holds no")
    )


@dataclasses.dataclass(frozen=True)
class Case:
    """One wrong thing in a maker's tree, and what is said of it.

    Attributes:
      change: (root) makes it wrong.
      said: words of what is printed.
      done: the exit code: 1 where the set is refused, 0 where it is taken, with a word.
      options: of the command.
    """

    change: Callable[[pathlib.Path], None]
    said: str
    done: int = 0
    options: tuple[str, ...] = ()


def without(pattern):
    """Removes the files of a pattern."""

    def change(root):
        files = list(root.rglob(pattern))
        assert files
        for file in files:
            file.unlink()

    return change


def exchanged(one, other):
    """Exchanges the content of files whose paths differ by these words."""

    def change(root):
        pairs = [
            (file, root / str(file.relative_to(root)).replace(one, other))
            for file in root.rglob("*")
            if file.is_file() and one in str(file.relative_to(root))
        ]
        pairs = [(file, beside) for file, beside in pairs if beside.exists()]
        assert pairs
        for file, beside in pairs:
            content = file.read_bytes()
            file.write_bytes(beside.read_bytes())
            beside.write_bytes(content)

    return change


def with_values(pattern, table):
    """Gives other values to the pixels of the first mask of a pattern: value -> value."""

    def change(root):
        file = min(root.rglob(pattern))
        values = np.asarray(Image.open(file))
        picture(file, sum(new * (values == old) for old, new in table.items()))

    return change


def outlines_exchanged(disc, cup):
    """Exchanges the labels of the outlines of the first eye."""

    def change(root):
        file = min(root.rglob("*.json"))
        names = {disc: cup, cup: disc}
        found = json.loads(file.read_text())
        for shape in found["shapes"]:
            shape["label"] = names.get(shape["label"], shape["label"])
        file.write_text(json.dumps(found))

    return change


def contradicted(root):
    (root / "train").mkdir()
    (root / "train/index.json").write_text('[{"ImgName": "g0001.jpg", "Label": 0}]')


def diagnoses_exchanged(root):
    codes = {0: 0, 1: 2, 2: 1}
    papila_sheets(root, {name: (codes[code], md) for name, (code, md) in DIAGNOSES.items()})


def harvard_classes_exchanged(root):
    for file in root.rglob("data_*.npz"):
        with np.load(file) as arrays:
            found = dict(arrays)
        np.savez(file, **(found | {"glaucoma": 1 - found["glaucoma"]}))
    (root / "ReadMe/data_summary.csv").unlink()  # else it is said that the two contradict


def gdp_classes_exchanged(root):
    file = root / "ReadMe/data_summary.csv"
    head, *rows = file.read_text().splitlines()
    file.write_text("\n".join([head, *(row[:-1] + str(1 - int(row[-1])) for row in rows)]))


def cubes_with_other_fields(root):
    """The names tell a field, too, and normal eyes see worse."""
    for file in list(root.glob("*.npy")):
        md = -9 if file.name.startswith("Normal") else -1
        file.rename(file.with_name(f"{file.stem}_md{md}.npy"))


def renamed(old, new):
    """Gives one folder or file another name."""

    def change(root):
        path = min(root.rglob(old))
        path.rename(path.with_name(new))

    return change


def as_it_is(root):
    pass


WITH_FIELDS = r"--pattern=(?P<label>POAG|Normal)-(?P<patient>\d+).*-(?P<eye>O[DS])_md(?P<md>-\d+)"
REGIONS = "are the two swapped, or of different eyes?"
CODES = "has its rim inside its cup"
COPY = "are the two swapped in this copy?"

# Layout -> a mask that is missing; of OCT, a volume.
MASKS = {
    "refuge": Case(without("n0002.bmp"), "1 of 2 photographs N.... have no mask (n0002)"),
    "papila": Case(without("RET002OD_cup_exp*.txt"), "has no outlines Contours/RET002OD_disc"),
    "drishti": Case(without("drishtiGS_002_cupsegSoftmap.png"), "_cupsegSoftmap.png: no mask"),
    "rim_one": Case(without("r2_Im002-1-Cup-T.png"), "1 of 5 crops have no NAME-1-Disc-T.png"),
    "chaksu": Case(
        without("Disc/Majority/image101.tif"), "1 of 3 photographs have no disc and cup"
    ),
    "origa": Case(
        without("Masks/001.png"), "1 of 6 photographs have no Masks/NNN.png or .mat: 001"
    ),
    "g1020": Case(
        without("image_0.json"), "1 of 3 photographs have no disc in image_N.json or Masks/"
    ),
    "grape": Case(without("1_OD_2.json"), "1 of 5 pictures have no outline OD in json/NAME.json"),
    "smdg": Case(
        without("optic-disc/BEH-1.png"),
        "1 of 4 photographs have no mask (beh-1): looked for optic-disc/optic-disc/NAME.png",
    ),
    "gdp": Case(
        without("Bscan/data_0003.npz"),
        "1 of 10 eyes of the summary and RNFLT have no volume (data_0003)",
    ),
    "harvard": Case(
        without("data_0002.npz"), "1 of 7 eyes of the summary have no volume (data_0002)"
    ),
    "gamma": Case(
        without("Disc_Cup_Mask/0003.png"),
        "1 of 12 photographs have no mask (0003): looked for Disc_Cup_Mask/NUMBER.png",
    ),
    "imo": Case(
        without("train/label/0002.png"),
        "1 of 8 photographs have no mask (0002): looked for train/label/NAME.png",
    ),
    "cubes": Case(without("*.npy"), "holds no volume (.npy", done=1),
    "folder": Case(
        without("masks/eye 4.png"),
        "1 of 10 photographs have no mask (eye 4): looked for masks/NAME.png",
    ),
}
SWAPPED = {
    "refuge": Case(contradicted, "its name says glaucoma 1, a sheet or index.json 0", done=1),
    "papila": Case(diagnoses_exchanged, "are glaucoma (1) and suspect (2) swapped", done=1),
    "drishti": Case(exchanged("ODseg", "cupseg"), REGIONS, done=1),
    "rim_one": Case(exchanged("-Disc-", "-Cup-"), REGIONS, done=1),
    "chaksu": Case(exchanged("/Disc/Majority", "/Cup/Majority"), REGIONS, done=1),
    "origa": Case(with_values("Masks/*.png", {1: 2, 2: 1}), CODES, done=1),
    "g1020": Case(outlines_exchanged("disc", "cup"), REGIONS, done=1),
    "grape": Case(outlines_exchanged("OD", "OC"), REGIONS, done=1),
    "smdg": Case(exchanged("optic-disc", "optic-cup"), REGIONS, done=1),
    "gdp": Case(gdp_classes_exchanged, COPY, done=1),
    "harvard": Case(harvard_classes_exchanged, COPY, done=1),
    "gamma": Case(with_values("Disc_Cup_Mask/*.png", {255: 255, 128: 0, 0: 128}), CODES, done=1),
    "imo": Case(with_values("train/label/*.png", {1: 2, 2: 1}), CODES, done=1),
    "cubes": Case(cubes_with_other_fields, COPY, done=1, options=(WITH_FIELDS,)),
    "folder": Case(with_values("masks/*.png", {1: 2, 2: 1}), CODES, done=1),
}
LABELS = {
    "refuge": Case(without("Fovea_locations.xlsx"), "2 of 2 photographs V.... have no label"),
    "papila": Case(
        without("patient_data_od.xlsx"), "patient_data_od.xlsx: these eyes get no label"
    ),
    "drishti": Case(without("*diagnosis*.xlsx"), "has no Drishti-GS1_diagnosis.xlsx"),
    "rim_one": Case(  # the folder is the label
        renamed("partitioned_by_hospital/training_set/normal", "healthy"),
        "2 crops lie in healthy: the folder is the label",
        done=1,
    ),
    "chaksu": Case(
        without("Glaucoma_Decision_Comparison_*.csv"),
        "has no 6.0_Glaucoma_Decision/",
        done=1,
        options=("--suspects=glaucoma",),
    ),
    "origa": Case(without("OrigaList.csv"), "has no OrigaList.csv: no eye gets a label"),
    "g1020": Case(without("G1020.csv"), "has no G1020.csv: no eye gets a label"),
    "grape": Case(as_it_is, "no mean deviation is published: masks only, no label, no grade"),
    "smdg": Case(
        without("metadata*.csv"), "has no 'metadata - standardized.csv': no eye gets a label"
    ),
    "gdp": Case(
        without("data_summary.csv"), "glaucoma is None, in the file or data_summary", done=1
    ),
    "harvard": Case(
        without("data_summary.csv"), "has no data_summary*.csv: classes and MD are taken"
    ),
    "gamma": Case(without("*_GT.xlsx"), "has no glaucoma_grading_training_GT.xlsx: no eye gets"),
    "imo": Case(without("class_label.txt"), "class_label.txt: is missing: no eye gets a grade"),
    "cubes": Case(
        renamed("POAG-000001-*-OD.npy", "000001-2012-02-08-OD.npy"),
        "is not in the names of 1 files: 000001-2012-02-08-OD.npy",
        done=1,
    ),
    "folder": Case(as_it_is, "10 with mask, 2 with OCT, grades: normal 0, early 0, mid/advanced 0"),
}
KINDS = {"mask": MASKS, "codes": SWAPPED, "labels": LABELS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_maker_has_its_case(kind):
    assert KINDS[kind].keys() == LAYOUTS.keys()


@pytest.mark.parametrize(
    ("kind", "layout"), [(kind, layout) for kind, cases in KINDS.items() for layout in cases]
)
def test_one_wrong_thing_is_told_in_a_sentence(kind, layout, request, tmp_path, capsys):
    root, case = request.getfixturevalue(TREES[layout]), KINDS[kind][layout]
    case.change(root)
    assert make(layout, root, tmp_path / "out", *case.options) == case.done
    told = capsys.readouterr()
    assert case.said in told.out + told.err
    assert (tmp_path / "out/manifest.csv").exists() == (case.done == 0)


@pytest.mark.parametrize(("layout", "part"), [("refuge", "Training400"), ("harvard", "Training")])
def test_one_part_of_a_set_is_refused_where_the_whole_tells_its_split(
    request, tmp_path, capsys, layout, part
):
    root = request.getfixturevalue(layout)
    inside = next(folder for folder in root.rglob(part) if folder.is_dir())
    assert make(layout, inside, tmp_path / "out") == 1
    assert (
        f"is one part of the set, and its eyes' split would not be seen: give the folder above, --root={inside.parent}"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out" / "manifest.csv").exists()


def test_photographs_in_the_folders_of_each_others_class(refuge, tmp_path, capsys):  # noqa: F811
    ill = next(refuge.rglob("Training400/Glaucoma/g*.jpg"))
    ill.rename(next(refuge.rglob("Non-Glaucoma")) / ill.name)
    assert make("refuge", refuge, tmp_path / "out") == 1
    assert f"{ill.name}: its name says glaucoma, its folder the opposite" in capsys.readouterr().err
