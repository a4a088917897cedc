"""Makers of public sets: small trees in their layouts, whole and with one wrong thing each."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from public_trees import (
    disc,
    expected_ids,
    make,
    photograph,
    picture,
    sheet,
)

from data_pipelines.images import read_mask
from data_pipelines.manifest import (
    check_manifest,
    check_screening_manifest,
    errors,
    read_manifest,
    read_screening_manifest,
)
from data_pipelines.volume_files import read_volume

# REFUGE


def gamma_codes(outer, inner):
    return np.where(disc(inner), 0, np.where(disc(outer), 128, 255))


@pytest.fixture
def refuge(tmp_path):
    root = tmp_path / "data" / "REFUGE"
    train = root / "REFUGE-Training400/Training400"
    masks = root / "Annotation-Training400/Annotation-Training400/Disc_Cup_Masks"
    for stem, folder in (
        ("g0001", "Glaucoma"),
        ("n0001", "Non-Glaucoma"),
        ("n0002", "Non-Glaucoma"),
    ):
        photograph(train / folder / f"{stem}.jpg", int(stem[1:]) + 10 * (stem[0] == "g"))
        picture(masks / folder / f"{stem}.bmp", gamma_codes(12, 6))
    for stem in ("V0001", "V0002"):
        photograph(
            root / f"REFUGE-Validation400/REFUGE-Validation400/{stem}.jpg", 20 + int(stem[1:])
        )
        picture(root / f"REFUGE-Validation400-GT/Disc_Cup_Masks/{stem}.bmp", gamma_codes(13, 5))
    rows = [
        ["ID", "ImgName", "Glaucoma Label", "Fovea_X"],
        [1, "V0001.jpg", 1, 5.0],
        [2, "V0002.jpg", 0, 5.0],
    ]
    sheet(root / "REFUGE-Validation400-GT/Fovea_locations.xlsx", rows)
    for stem, letter in (("T0001", "G"), ("T0002", "N")):
        photograph(root / f"Test400/{stem}.JPG", 30 + int(stem[1:]))
        picture(root / f"REFUGE-Test-GT/Disc_Cup_Masks/{letter}/{stem}.bmp", gamma_codes(12, 4))
    rows = [["ID", "ImgName", "Label(Glaucoma=1)"], [1, "T0001.jpg", 1], [2, "T0002.jpg", 0]]
    sheet(root / "REFUGE-Test-GT/Glaucoma_label_and_Fovea_location.xlsx", rows)
    return root


def test_refuge(refuge, tmp_path):
    for litter in ("__MACOSX/Training400/Glaucoma/._g0001.jpg", "Test400/Thumbs.db"):
        (refuge / litter).parent.mkdir(parents=True, exist_ok=True)
        (refuge / litter).write_bytes(b"x")
    assert make("refuge", refuge, tmp_path / "out") == 0
    manifest = read_manifest(tmp_path / "out/manifest.csv")
    assert manifest.grade_names == ("normal", "glaucoma")
    eyes = {eye.id: eye for eye in manifest.eyes}
    found = {name: (eye.split, eye.glaucoma) for name, eye in eyes.items()}
    assert found == {
        "g0001": ("train", 1), "n0001": ("train", 0), "n0002": ("train", 0),
        "v0001": ("val", 1), "v0002": ("val", 0), "t0001": ("test", 1), "t0002": ("test", 0),
    }  # fmt: skip
    assert all(e.grade == e.glaucoma and e.source == "refuge" for e in eyes.values())
    assert (read_mask(eyes["v0001"].mask) == expected_ids(13, 5)).all()
    assert not errors(check_manifest(tmp_path / "out/manifest.csv", need=("train", "eval")))


def test_refuge_with_codes_the_other_way_round(refuge, tmp_path):
    for file in refuge.rglob("*.bmp"):
        picture(file, 255 - np.asarray(Image.open(file)) + (np.asarray(Image.open(file)) == 128))
    assert make("refuge", refuge, tmp_path / "out") == 0
    eye = read_manifest(tmp_path / "out/manifest.csv").split("val")[0]
    assert (read_mask(eye.mask) == expected_ids(13, 5)).all()


def test_refuge_with_rim_and_cup_swapped(refuge, tmp_path, capsys):
    file = next(refuge.rglob("V0001.bmp"))
    picture(file, np.where(disc(5), 128, np.where(disc(12), 0, 255)))
    assert make("refuge", refuge, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "V0001.bmp: has its rim inside its cup" in told and "1 error" in told


def test_refuge_with_a_mask_or_a_sheet_missing(refuge, tmp_path, capsys):
    next(refuge.rglob("n0002.bmp")).unlink()
    next(refuge.rglob("Fovea_locations.xlsx")).unlink()
    assert make("refuge", refuge, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "1 of 2 photographs N.... have no mask (n0002)" in told
    assert "2 of 2 photographs V.... have no label (v0001, v0002): looked for Fovea_loc" in told


def test_what_is_there_is_shown_where_the_layout_is_not(tmp_path, capsys):
    photograph(tmp_path / "data/Pictures/one.jpg", 1)
    assert make("refuge", tmp_path / "data", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "looked for Training400/Glaucoma/g0001.jpg" in told and "there is Pictures/" in told
    assert not (tmp_path / "out/manifest.csv").exists()


# PAPILA


def outline(path, radius, shift=0.0):
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    nodes = np.stack([32 + shift + radius * np.cos(angles), 32 + radius * np.sin(angles)], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, nodes, fmt="%.8e")


DIAGNOSES = {"RET002OD": (0, None), "RET002OS": (1, -3.5), "RET004OD": (1, -9.0),
             "RET004OS": (2, -1.0), "RET005OD": (0, 0.5), "RET005OS": (1, None)}  # fmt: skip


def papila_sheets(root, diagnoses):
    for side in ("OD", "OS"):
        rows = [
            [None, "Age", "Gender", "Diagnosis", "Refractive Defect", None, "VF_MD"],
            [None, None, None, None, "dioptre_1", "dioptre_2", None],
            ["ID", None, None, None, None, None, None],
        ]
        rows += [
            [f"#{name[3:6]}", 60, 1, code, 0.5, 0.5, md]
            for name, (code, md) in diagnoses.items()
            if name.endswith(side)
        ]
        sheet(root / f"ClinicalData/patient_data_{side.lower()}.xlsx", rows)


@pytest.fixture
def papila(tmp_path):
    root = tmp_path / "data" / "PapilaDB-PAPILA-1a2b"
    for seed, name in enumerate(DIAGNOSES, start=50):
        photograph(root / f"FundusImages/{name}.jpg", seed)
        for reader, shift in (("1", 0.0), ("2", 4.0)):
            contours = root / "ExpertsSegmentations/Contours"
            outline(contours / f"{name}_disc_exp{reader}.txt", 14, shift)
            outline(contours / f"{name}_cup_exp{reader}.txt", 7, shift)
        outline(contours / f"{name}_cup_exp2 2.txt", 3)  # A stray copy, as published.
    papila_sheets(root, DIAGNOSES)
    return root


def test_papila(papila, tmp_path, capsys):
    assert make("papila", papila.parent, tmp_path / "out") == 0
    told = capsys.readouterr().out
    eyes = {eye.id: eye for eye in read_manifest(tmp_path / "out/manifest.csv").eyes}
    labels = {name: (eye.glaucoma, eye.grade) for name, eye in eyes.items()}
    assert labels == {
        "RET002OD": (0, 0), "RET002OS": (1, 1), "RET004OD": (1, 2), "RET004OS": (None, None),
        "RET005OD": (0, 0), "RET005OS": (1, None),
    }  # fmt: skip
    assert (eyes["RET002OS"].patient, eyes["RET002OS"].eye) == ("RET002", "OS")
    for patient in ("RET002", "RET004", "RET005"):
        assert len({e.split for e in eyes.values() if e.patient == patient}) == 1
    ids = read_mask(eyes["RET002OD"].mask)
    overlap = ((ids > 0) & disc(14)).sum() / ((ids > 0) | disc(14)).sum()
    assert overlap > 0.93 and ids[32, 32] == 2 and ids[32, 43] == 1
    # Two discs of radius 14 that are 4 apart: Dice 0.82 (area of the lens).
    assert "Readers against each other, mean of 6 eyes: disc Dice 0.8" in told


def test_papila_readers_who_differ(papila, tmp_path):
    options = ("--agreement=disputed", "--suspects=drop")
    assert make("papila", papila, tmp_path / "out", *options) == 0
    eyes = {eye.id: eye for eye in read_manifest(tmp_path / "out/manifest.csv").eyes}
    assert "RET004OS" not in eyes
    ids = read_mask(eyes["RET002OD"].mask)
    # Reader 1 reaches x 18 to 46, reader 2 x 22 to 50.
    assert ids[32, 20] == ids[32, 48] == 255 and ids[32, 24] == 1 and ids[32, 34] == 2


def test_papila_with_codes_swapped(papila, tmp_path, capsys):
    swap = {0: 0, 1: 2, 2: 1}
    papila_sheets(papila, {name: (swap[c], md) for name, (c, md) in DIAGNOSES.items()})
    assert make("papila", papila, tmp_path / "out") == 1
    assert "swapped in this copy?" in capsys.readouterr().err


def test_papila_without_sheets_or_outlines(papila, tmp_path, capsys):
    (papila / "ClinicalData/patient_data_os.xlsx").unlink()
    (papila / "ExpertsSegmentations/Contours/RET002OD_disc_exp1.txt").unlink()
    (papila / "ExpertsSegmentations/Contours/RET002OD_disc_exp2.txt").unlink()
    assert make("papila", papila, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "has no ClinicalData/patient_data_os.xlsx: these eyes get no label" in told
    assert "has no outlines Contours/RET002OD_disc_exp1.txt" in told


def test_papila_disc_and_cup_exchanged(papila, tmp_path, capsys):
    outline(papila / "ExpertsSegmentations/Contours/RET002OD_disc_exp1.txt", 5)
    outline(papila / "ExpertsSegmentations/Contours/RET002OD_cup_exp1.txt", 14)
    assert make("papila", papila, tmp_path / "out") == 1
    assert "are the two swapped, or of different eyes?" in capsys.readouterr().err


# Harvard-GF and FairVision


def harvard_file(path, seed, glaucoma, md=None, shape=(200, 9, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"oct_bscans": np.random.default_rng(seed).integers(0, 255, shape, np.uint8)}
    arrays |= {
        "glaucoma": np.array(glaucoma),
        "slo_fundus": np.zeros((4, 4)),
        "race": np.array("Asian"),
    }
    if md is not None:
        arrays["md"] = np.array(md)
    np.savez(path, **arrays)


@pytest.fixture
def harvard(tmp_path):
    root = tmp_path / "data" / "Harvard-GF"
    rows = ["filename,age,glaucoma,use"]
    for number, (part, label, md) in enumerate(
        (("Training", 0, 0.5), ("Training", 1, -7.25), ("Training", 1, 1.0), ("Validation", 0, -1.5),
         ("Validation", 1, -2.0), ("Test", 0, 1.5), ("Test", 1, -12.0)), start=1
    ):  # fmt: skip
        harvard_file(root / f"Dataset/{part}/data_{number:04d}.npz", number, label, md)
        rows.append(f"data_{number:04d}.npz,60,{'yes' if label else 'no'},{part.lower()}")
    (root / "ReadMe").mkdir()
    (root / "ReadMe/data_summary.csv").write_text("\n".join(rows))
    return root


def test_harvard(harvard, tmp_path, capsys):
    assert make("harvard", harvard, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "7 with md" in told and "circular" not in told
    volumes = read_screening_manifest(tmp_path / "out/manifest.csv").volumes
    assert [v.split for v in volumes] == ["train"] * 3 + ["val"] * 2 + ["test"] * 2
    assert [v.glaucoma for v in volumes] == [0, 1, 1, 0, 1, 0, 1]
    assert (volumes[1].md, volumes[1].vfi, volumes[1].psd) == (-7.25, None, None)
    assert volumes[1].oct.name == "data_0002.npz#oct_bscans"
    stored = np.random.default_rng(2).integers(0, 255, (200, 9, 8), np.uint8)
    assert (read_volume(volumes[1].oct) == stored).all()
    problems = check_screening_manifest(
        tmp_path / "out/manifest.csv", need=("train", "eval"), surrogates=False
    )
    assert not errors(problems)


def test_fairvision_says_that_its_class_is_a_threshold(harvard, tmp_path, capsys):
    for file in harvard.rglob("data_0003.npz"):
        harvard_file(file, 3, 1, -3.0)
    for file in harvard.rglob("data_0004.npz"):
        harvard_file(file, 4, 0, -1.0)
    assert make("harvard", harvard, tmp_path / "out") == 0
    assert "threshold of MD in this set (md <= -2 dB" in capsys.readouterr().out


def test_harvard_files_that_are_not_of_it(harvard, tmp_path, capsys):
    harvard_file(harvard / "Dataset/Test/data_0008.npz", 8, 1, -3.0, shape=(128, 9, 8))
    np.savez(harvard / "Dataset/Test/data_0009.npz", rnflt=np.zeros((4, 4)))
    (harvard / "Dataset/Test/data_0010.npz").write_bytes(b"PK junk")
    harvard_file(harvard / "Dataset/Validation/data_0006.npz", 11, 0, 0.0, shape=(0, 9, 8))
    assert make("harvard", harvard, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "another disease's part (AMD, DR)?" in told
    assert "holds no array 'oct_bscans', but rnflt" in told
    assert "data_0010.npz: cannot be read" in told


def test_harvard_with_classes_swapped(harvard, tmp_path, capsys):
    for number, glaucoma, md in ((1, 1, 0.5), (2, 0, -7.25), (7, 0, -12.0)):
        harvard_file(next(harvard.rglob(f"data_000{number}.npz")), number, glaucoma, md)
    (harvard / "ReadMe/data_summary.csv").unlink()
    assert make("harvard", harvard, tmp_path / "out") == 1
    assert "-4.81 dB in eyes of glaucoma 0 and -0.17 in those of 1: are the two swap" in (
        capsys.readouterr().err
    )


# Harvard-GDP


def gdp_file(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: np.array(value) for name, value in arrays.items()})


@pytest.fixture
def gdp(tmp_path):
    root = tmp_path / "data" / "Harvard-GDP1000"
    rows = ["filename,age,glaucoma"]
    for number in range(1, 11):
        label, md = number % 2, -0.5 * number
        bscans = np.random.default_rng(number).integers(0, 255, (3, 9, 8), np.uint8)
        gdp_file(root / f"Bscan/data_{number:04d}.npz", bscans=bscans)
        gdp_file(root / f"RNFLT/data_{number:04d}.npz", rnflt=np.zeros((4, 4)), md=md - 3 * label)
        rows.append(f"data_{number:04d},60,{label}")
    (root / "ReadMe").mkdir()
    (root / "ReadMe/data_summary.csv").write_text("\n".join(rows))
    return root


def test_gdp(gdp, tmp_path, capsys):
    assert make("gdp", gdp, tmp_path / "out", "--test_fraction=0.3") == 0
    assert "10 with md" in capsys.readouterr().out
    volumes = read_screening_manifest(tmp_path / "out/manifest.csv").volumes
    assert [v.glaucoma for v in volumes] == [1, 0] * 5
    assert [v.md for v in volumes[:3]] == [-3.5, -1.0, -4.5]
    assert {v.split for v in volumes} == {"train", "val", "test"}
    assert volumes[1].oct.name == "data_0002.npz#bscans"
    assert read_volume(volumes[1].oct).shape == (3, 9, 8)


def test_gdp_with_maps_alone_and_with_one_wrong_thing(gdp, tmp_path, capsys):
    gdp_file(gdp / "Bscan/data_0003.npz", bscans=np.zeros((4, 4), np.uint8))
    gdp_file(gdp / "Bscan/data_0004.npz", cube=np.zeros((3, 4, 4), np.uint8))
    gdp_file(gdp / "Bscan/data_0011.npz", bscans=np.zeros((3, 4, 4), np.uint8))
    assert make("gdp", gdp, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "has shape (4, 4), not (slices, depth, width)" in told
    assert "holds no array 'bscans', but cube" in told
    assert "data_0011.npz: glaucoma is None, in the file or data_summary.csv" in told
    shutil.rmtree(gdp / "Bscan")
    assert make("auto", gdp, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "looked for Bscan/data_0001.npz" in told and "maps of thickness (RNFLT) alone" in told


def test_an_array_that_is_not_in_the_file(harvard, tmp_path, capsys):
    assert make("harvard", harvard, tmp_path / "out") == 0
    table = tmp_path / "out/manifest.csv"
    table.write_text(table.read_text().replace("data_0001.npz#oct_bscans", "data_0001.npz#cube"))
    told = " ".join(map(str, check_screening_manifest(table)))
    assert "holds no array 'cube', but glaucoma, md, oct_bscans" in told


# All


@pytest.mark.parametrize("name", ["refuge", "papila", "harvard", "gdp"])
def test_layouts_are_recognised(name, request, tmp_path, capsys):
    root = request.getfixturevalue(name)
    assert make("auto", root, tmp_path / "out") == 0
    assert f"the layout is {name}" in capsys.readouterr().out


def test_nothing_is_recognised(tmp_path, capsys):
    photograph(tmp_path / "data/Pictures/one.jpg", 1)
    assert make("auto", tmp_path / "data", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "holds no layout that is known (refuge, papila, " in told
    assert "there is Pictures/. --layout=NAME says" in told


def test_several_sets_in_one_manifest(refuge, papila, tmp_path, capsys):
    out = tmp_path / "out"
    assert make("papila", papila, out, "--append") == 1
    assert "there is no" in capsys.readouterr().err
    assert make("refuge", refuge, out) == 0
    assert make("papila", papila, out, "--append") == 0
    eyes = read_manifest(out / "manifest.csv").eyes
    assert [eye.source for eye in eyes] == ["refuge"] * 7 + ["papila"] * 6
    assert (eyes[7].id, eyes[7].patient) == ("papila-RET002OD", "papila-RET002")
    assert not errors(check_manifest(out / "manifest.csv"))
    record = json.loads((out / "manifest.json").read_text())
    assert [part["layout"] for part in record["sets"]] == ["refuge", "papila"]
    assert make("papila", papila, out, "--append") == 1
    assert "holds 'papila' already" in capsys.readouterr().err
    assert make("papila", papila, out, "--append", "--source=again", "--suspects=drop") == 0


def test_sets_of_folders_far_apart_have_one_data_root_above_both(refuge, papila, tmp_path):
    here, there = tmp_path / "disk1/a/refuge", tmp_path / "disk2/papila"
    for old, new in ((refuge, here), (papila, there)):
        new.parent.mkdir(parents=True)
        old.rename(new)
    out = tmp_path / "manifests/out"
    assert make("refuge", here, out) == 0
    assert make("papila", there, out, "--append") == 0
    manifest = read_manifest(out / "manifest.csv")
    assert manifest.data_root == tmp_path
    assert not errors(check_manifest(manifest.path))
    places = {eye.source: eye.fundus for eye in manifest.eyes}
    assert places["refuge"].is_relative_to(here) and places["papila"].is_relative_to(there)


@pytest.mark.parametrize("order", [("refuge", "papila"), ("papila", "refuge")])
def test_two_grades_join_three_as_glaucoma_or_not(refuge, papila, tmp_path, order):
    out, roots = tmp_path / "out", {"refuge": refuge, "papila": papila}
    assert make(order[0], roots[order[0]], out) == 0
    assert make(order[1], roots[order[1]], out, "--append") == 0
    manifest = read_manifest(out / "manifest.csv")
    assert manifest.grade_names == ("normal", "early", "mid/advanced")
    of_refuge = [eye for eye in manifest.eyes if eye.source == "refuge"]
    assert sorted(eye.glaucoma for eye in of_refuge) == [0] * 4 + [1] * 3
    assert all(eye.grade is None for eye in of_refuge)
    alone = tmp_path / "alone"
    assert make("papila", papila, alone) == 0
    graded = [eye.grade for eye in manifest.eyes if eye.source == "papila"]
    assert graded == [eye.grade for eye in read_manifest(alone / "manifest.csv").eyes]
    assert set(graded) == {0, 1, 2, None}


def test_sets_that_each_have_grades_of_their_own_are_not_joined(papila, tmp_path, capsys):
    mine, out = tmp_path / "mine", tmp_path / "out"
    for k in range(4):
        photograph(mine / f"images/e{k}.png", 60 + k)
    (mine / "grades.txt").write_text("healthy\nmild\nmoderate\nsevere\n")
    (mine / "grades.csv").write_text("id,grade\n" + "".join(f"e{k},{k}\n" for k in range(4)))
    assert make("folder", mine, out) == 0
    assert "grades: healthy 1, mild 1, moderate 1, severe 1" in capsys.readouterr().out
    before = (out / "manifest.csv").read_text()
    assert make("papila", papila, out, "--append") == 1
    told = capsys.readouterr().err
    assert "healthy, mild, moderate, severe, those of this set normal, early" in told
    assert (out / "manifest.csv").read_text() == before
    (mine / "grades.txt").write_text("only\n")
    assert make("folder", mine, tmp_path / "other") == 1
    assert "grades.txt: names 1 grades" in capsys.readouterr().err


def test_options_of_other_layouts(refuge, tmp_path, capsys):
    with pytest.raises(SystemExit):
        make("refuge", refuge, tmp_path / "out", "--agreement=all")
    assert "does nothing except with --layout=papila" in capsys.readouterr().err
    assert make("auto", refuge, tmp_path / "out", "--agreement=all") == 1
    assert "does nothing with the layout refuge" in capsys.readouterr().err
    assert make("refuge", refuge, tmp_path / "out", "--val_fraction=0.3") == 1
    assert "has its own val split" in capsys.readouterr().err
