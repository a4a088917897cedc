"""The makers of the released repository's layout and of one's own folder."""

import numpy as np
import pytest
from PIL import Image

from data_pipelines.images import read_mask
from data_pipelines.manifest import check_manifest, errors, read_manifest
from data_pipelines.manifest.__main__ import main
from data_pipelines.manifest.makers.folder import find_folder
from data_pipelines.manifest.mask_codes import MASK_CODES, parse_mask_codes

IDS = np.zeros((40, 40), np.uint8)
IDS[10:30, 10:30] = 1
IDS[15:25, 15:25] = 2


def photograph(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8))


def save(path, thing):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(thing, str):
        path.write_text(thing)
    elif path.suffix == ".npy":
        np.save(path, thing)
    else:
        (thing if isinstance(thing, Image.Image) else Image.fromarray(thing)).save(path)


def make(layout, root, out, *options):
    return main([f"--layout={layout}", f"--root={root}", f"--out={out}", *options])


# --- imo -----------------------------------------------------------------------------


@pytest.fixture
def seg(tmp_path):
    seg = tmp_path / "GAMMA" / "seg"
    lines = []
    for number in range(1, 13):
        split, name = "train" if number <= 8 else "test", f"{number:04d}"
        save(seg / split / "vi" / f"{name}.png", photograph(number))
        volume = np.random.default_rng(number).integers(0, 256, (4, 16, 16), np.uint8)
        save(seg / split / "oct" / f"{name}.npy", volume)
        save(seg / split / "label" / f"{name}.png", IDS)
        lines.append(f"{name} {number % 3}")
    save(seg / "class_label.txt", "\n".join(lines) + "\n")
    return seg


@pytest.mark.parametrize("levels_up", [0, 1, 2])
def test_imo_layout(seg, tmp_path, levels_up):
    root = [seg, seg.parent, seg.parent.parent][levels_up]
    out = tmp_path / "elsewhere"
    assert make("imo", root, out, "--val_fraction=0.25") == 0
    manifest = read_manifest(out / "manifest.csv")
    assert {eye.id for eye in manifest.split("test")} == {"0009", "0010", "0011", "0012"}
    assert [len(manifest.split(s)) for s in ("train", "val")] == [6, 2]
    assert [eye.grade for eye in manifest.eyes] == [n % 3 for n in range(1, 13)]
    eye = manifest.eyes[0]
    assert eye.mask == seg / "train/label/0001.png"  # Ids already, so used where they are.
    assert eye.oct == seg / "train/oct/0001.npy"
    assert not errors(check_manifest(manifest.path, need=("train", "eval")))


@pytest.mark.parametrize(
    "line", ["{n},{g}", "{n}.png {g}", "{n}\t{g}", "  {n} , {g}  ", "{n}: {g}"]
)
def test_imo_class_labels_in_other_spellings(seg, tmp_path, line):
    text = "\r\n".join(line.format(n=f"{n:04d}", g=n % 3) for n in range(1, 13))
    (seg / "class_label.txt").write_text("\ufeff" + text)
    assert make("imo", seg, tmp_path / "out") == 0
    grades = [eye.grade for eye in read_manifest(tmp_path / "out/manifest.csv").eyes]
    assert grades == [n % 3 for n in range(1, 13)]


def test_imo_folds_pool_train_and_test(seg, tmp_path):
    assert make("imo", seg, tmp_path / "out", "--folds=3") == 0
    tested = [
        eye.id
        for fold in range(3)
        for eye in read_manifest(tmp_path / f"out/manifest_fold{fold}.csv").split("test")
    ]
    assert sorted(tested) == [f"{n:04d}" for n in range(1, 13)]


def test_imo_problems_are_listed_at_once(seg, tmp_path, capsys):
    (seg / "train/vi/0001.png").unlink()
    save(seg / "train/label/0002.png", np.array([255, 128, 0], np.uint8)[IDS])
    save(seg / "train/vi/0009.png", photograph(50))
    text = (seg / "class_label.txt").read_text()
    (seg / "class_label.txt").write_text(text.replace("0003 0", "0003 5") + "0004 2\njunk\n")
    assert make("imo", seg, tmp_path / "out") == 1
    told = capsys.readouterr().err
    for words in (
        "0001.png: is a label picture without a photograph",
        "0001.npy: is a volume without a photograph",
        "grades '0001', which has no photograph",
        "0002.png: holds values that are not among its codes",
        "0009.png: is in both train and test",
        "grade '5' is none of",
        "grades '0004' a second time",
        "'junk' is not 'name grade'",
    ):
        assert words in told, (words, told)
    assert make("imo", tmp_path / "out", tmp_path / "out2") == 1
    assert "seg/train/vi" in capsys.readouterr().err


# --- folder --------------------------------------------------------------------------


@pytest.fixture
def mine(tmp_path):
    mine = tmp_path / "mine"
    for number in range(10):
        save(mine / "images" / f"eye {number}.jpg", photograph(number))
        save(mine / "masks" / f"eye {number}.png", IDS)
    volume = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)
    save(mine / "oct/eye 0.npy", volume)
    for index, b_scan in enumerate(volume):
        save(mine / f"oct/eye 1/scan{index}.png", b_scan)
    return mine


def test_folder_layout(mine, tmp_path, capsys):
    assert make("folder", mine, mine) == 0  # Beside the data, so that it can be moved with them.
    assert "patient" in capsys.readouterr().out
    manifest = read_manifest(mine / "manifest.csv")
    assert len(manifest.eyes) == 10
    first, second, third = manifest.eyes[:3]
    assert first.id == first.patient == "eye 0"
    assert first.oct == mine / "oct/eye 0.npy"
    assert second.oct == mine / "oct/eye 1"
    assert third.oct is None
    assert third.mask == mine / "masks/eye 2.png"
    assert [len(manifest.split(s)) for s in ("train", "val", "test")] == [6, 2, 2]
    assert not errors(check_manifest(manifest.path, need=("train", "eval")))


def test_folder_grades_and_patients(mine, tmp_path, capsys):
    rows = [f"eye {n},{n % 3 if n < 9 else ''},P{n // 2}" for n in range(10)]
    (mine / "grades.csv").write_text("id,grade,patient\n" + "\n".join(rows))
    assert make("folder", mine, tmp_path / "out", "--test_fraction=0.4") == 0
    assert "patient of its own" not in capsys.readouterr().out
    manifest = read_manifest(tmp_path / "out/manifest.csv")
    assert [eye.grade for eye in manifest.eyes] == [0, 1, 2, 0, 1, 2, 0, 1, 2, None]
    split_of = {}
    for eye in manifest.eyes:
        assert split_of.setdefault(eye.patient, eye.split) == eye.split
    assert sorted(split_of.values()) == ["test", "test", "train", "train", "val"]


def test_grades_are_found_in_any_case_and_other_tables_are_named(mine, tmp_path, capsys):
    rows = [f"eye {n},{n % 3},P{n // 2}" for n in range(10)]
    (mine / "Grades.CSV").write_text("id,grade,patient\n" + "\n".join(rows))
    (mine / "labels.csv").write_text("id,grade\n")
    assert make("folder", mine, tmp_path / "out") == 0
    out = capsys.readouterr()
    assert "labels.csv: is not read; labels are read from grades.csv" in out.out + out.err
    eyes = read_manifest(tmp_path / "out/manifest.csv").eyes
    assert [(eye.grade, eye.patient) for eye in eyes[:3]] == [(0, "P0"), (1, "P0"), (2, "P1")]


@pytest.mark.parametrize(
    ("option", "stored"),
    [
        ("gamma", [255, 128, 0]),
        ("bg:255,rim:128,cup:0", [255, 128, 0]),
        ("bg:0,rim:128,cup:255", [0, 128, 255]),
        ("bg:0,rim:85,cup:170,ignore:255", [0, 85, 170]),
    ],
)
def test_folder_mask_codes(mine, tmp_path, capsys, option, stored):
    for number in range(10):
        save(mine / "masks" / f"eye {number}.png", np.array(stored, np.uint8)[IDS])
    assert make("folder", mine, tmp_path / "out") == 1
    assert capsys.readouterr().err.count("say what they mean with --mask_codes") == 10
    assert make("folder", mine, tmp_path / "out", f"--mask_codes={option}") == 0
    eye = read_manifest(tmp_path / "out/manifest.csv").eyes[3]
    assert eye.mask == tmp_path / "out/id_masks/eye 3.png"
    assert (read_mask(eye.mask) == IDS).all()


def test_masks_of_the_disc_alone_leave_the_cup_open(mine, tmp_path):
    for number in range(10):
        save(mine / "masks" / f"eye {number}.png", np.where(IDS > 0, 255, 0).astype(np.uint8))
    assert make("folder", mine, tmp_path / "out", "--mask_codes=bg:0,disc:255") == 0
    ids = read_mask(read_manifest(tmp_path / "out/manifest.csv").eyes[3].mask)
    # Of a disc of 20 pixels a ring of one is rim; whether the rest is rim or cup is not known.
    assert ids[20].tolist() == [0] * 10 + [1] + [255] * 18 + [1] + [0] * 10
    assert not errors(check_manifest(tmp_path / "out/manifest.csv"))


def readings(mine, *cups):
    """Gives the first eye three readers, whose cups have these sides."""
    (mine / "masks/eye 0.png").unlink()
    for reader, side in zip(("anna", "ben", "cleo"), cups, strict=True):
        ids = np.where(IDS > 0, 1, 0).astype(np.uint8)
        ids[20 - side : 20 + side, 20 - side : 20 + side] = 2
        save(mine / f"masks/eye 0/{reader}.png", ids)


@pytest.mark.parametrize(
    ("options", "row"),
    [
        ((), [1, 1, 2, 2, 2]),
        (("--agreement=all",), [1, 1, 1, 1, 2]),
        (("--agreement=any",), [2, 2, 2, 2, 2]),
        (("--agreement=first",), [1, 1, 2, 2, 2]),
        (("--agreement=disputed",), [255, 255, 255, 255, 2]),
    ],
)
def test_several_readers_of_an_eye_in_ones_own_folder(mine, tmp_path, capsys, options, row):
    readings(mine, 5, 7, 3)
    assert make("folder", mine, tmp_path / "out", *options) == 0
    assert "Readers against each other, mean of 1 eyes: disc Dice 1.000" in capsys.readouterr().out
    first, second = read_manifest(tmp_path / "out/manifest.csv").eyes[:2]
    assert read_mask(first.mask)[20, 13:18].tolist() == row
    assert (read_mask(second.mask) == IDS).all()


def test_readers_whose_folder_is_wrong_are_told(mine, tmp_path, capsys):
    assert make("folder", mine, tmp_path / "out", "--agreement=all") == 1
    assert "--agreement does nothing here" in capsys.readouterr().err
    readings(mine, 5, 7, 3)
    save(mine / "masks/eye 0.png", IDS)
    save(mine / "masks/nobody/anna.png", IDS)
    save(mine / "masks/eye 0/ben.png", IDS[:-1])
    (mine / "masks/eye 1").mkdir()
    assert make("folder", mine, tmp_path / "out") == 1
    told = capsys.readouterr().err
    for words in (
        "eye 0: has the same name as 'eye 0.png'",
        "nobody: is a mask without a photograph named 'nobody'",
        "ben.png: has 40 x 39 pixels",
        "eye 1: is a folder of readers without masks",
    ):
        assert words in told, (words, told)


@pytest.mark.parametrize(
    "text", ["", "bg", "bg:255", "bg:255,rim:128", "bg:1,rim:1,cup:2", "bg:1,rim:2,cup:300", "x:1",
             "bg:0,disc:1,cup:2", "bg:0,disc:1,rim:2", "disc:1"]
)
def test_mask_codes_that_are_not_understood(text):
    with pytest.raises(ValueError, match="mask_codes"):
        parse_mask_codes(text)


def test_folder_without_labels_is_for_prediction(tmp_path):
    for number in range(3):
        save(tmp_path / "mine/Images" / f"{number}.tif", photograph(number))
    assert make("folder", tmp_path / "mine", tmp_path / "out") == 0
    manifest = read_manifest(tmp_path / "out/manifest.csv")
    assert [eye.split for eye in manifest.eyes] == ["", "", ""]
    assert not errors(check_manifest(manifest.path, need=("predict",)))


def test_unlabelled_eyes_stay_in_no_split(mine, tmp_path):
    save(mine / "images/unlabelled.jpg", photograph(70))
    assert make("folder", mine, tmp_path / "out") == 0
    eyes = read_manifest(tmp_path / "out/manifest.csv").split("")
    assert [eye.id for eye in eyes] == ["unlabelled"]


def test_a_folder_that_tells_glaucoma_alone_has_two_grades(mine, tmp_path):
    rows = [f"eye {n},{n % 2 if n < 9 else ''},{'OD' if n % 2 else ''}" for n in range(10)]
    (mine / "grades.csv").write_text("id,glaucoma,eye\n" + "\n".join(rows))
    assert make("folder", mine, tmp_path / "out") == 0
    manifest = read_manifest(tmp_path / "out/manifest.csv")
    assert manifest.grade_names == ("normal", "glaucoma")
    told = [0, 1, 0, 1, 0, 1, 0, 1, 0, None]
    assert [eye.glaucoma for eye in manifest.eyes] == [eye.grade for eye in manifest.eyes] == told
    assert [eye.eye for eye in manifest.eyes] == [None, "OD"] * 5


def test_a_folder_with_grades_0_and_1_alone_is_doubted(mine, tmp_path, capsys):
    (mine / "grades.csv").write_text("id,grade\neye 0,0\neye 1,1\n")
    assert make("folder", mine, tmp_path / "out") == 0
    assert "call the column 'glaucoma'" in capsys.readouterr().out
    (mine / "grades.txt").write_text("no\nyes\n")
    (mine / "grades.csv").write_text("id,grade\neye 0,no\neye 1,yes\neye 2,1\n")
    assert make("folder", mine, tmp_path / "named") == 0
    assert "call the column" not in capsys.readouterr().out
    assert [eye.grade for eye in read_manifest(tmp_path / "named/manifest.csv").eyes[:3]] == [0, 1, 1]


def test_a_wrong_label_of_a_folder_is_told_with_its_line(mine, tmp_path, capsys):
    (mine / "grades.csv").write_text("id,glaucoma,eye\neye 0,2,OD\neye 1,1,left\n")
    assert make("folder", mine, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "line 2" in told and "glaucoma '2' is none of 0, 1" in told
    assert "line 3" in told and "eye 'left' is none of OD, OS, R, L" in told


def test_folder_problems_are_listed_at_once(mine, tmp_path, capsys):
    save(mine / "masks/stranger.png", IDS)
    save(mine / "oct/nobody.npy", np.zeros((2, 8, 8), np.uint8))
    save(mine / "images/eye 3.png", photograph(60))
    save(mine / "images/con.png", photograph(61))
    save(mine / "masks/eye 4.png", IDS[:-1])
    (mine / "images/eye 5.jpg").write_bytes(b"")
    (mine / "grades.csv").write_text("id,grade\neye 0,1\neye 0,2\neye 1,9\nghost,0\neye 2.jpg,1\n")
    assert make("folder", mine, tmp_path / "out") == 1
    told = capsys.readouterr().err
    for words in (
        "stranger.png: is a mask without a photograph",
        "nobody.npy: is a volume without a photograph",
        "eye 3.png: has the same name as 'eye 3.jpg'",
        "reserved file name",
        "eye 4.png: has 40 x 39 pixels",
        "eye 5.jpg: is empty",
        "line 3",
        "id 'eye 0' is already that of line 2",
        "grade '9' is none of",
        "there is no picture images/ghost",
    ):
        assert words in told, (words, told)
    assert "eye 2" not in told
    assert list((tmp_path / "out").iterdir()) == []
    assert make("folder", tmp_path, tmp_path / "out") == 1
    assert "no folder images/" in capsys.readouterr().err


def test_what_a_system_left_in_a_folder_is_passed_over(mine, tmp_path):
    for folder in ("images", "masks", "oct"):
        (mine / folder).mkdir(exist_ok=True)
        (mine / folder / "__MACOSX").mkdir()
        (mine / folder / "Thumbs.db").write_bytes(b"x")
        (mine / folder / "._eye 1.jpg").write_bytes(b"x")
    before = find_folder(mine, MASK_CODES["ids"])
    assert before.problems == []
    assert not any("__MACOSX" in str(eye.oct) for eye in before.eyes)


def test_folder_masks_may_be_arrays(mine, tmp_path):
    mask = min((mine / "masks").iterdir())
    ids = read_mask(mask) if mask.suffix != ".npy" else np.load(mask)
    mask.unlink()
    np.save(mask.with_suffix(".npy"), ids)
    found = find_folder(mine, MASK_CODES["ids"])
    assert found.problems == []
    assert mask.with_suffix(".npy") in [eye.mask for eye in found.eyes]
