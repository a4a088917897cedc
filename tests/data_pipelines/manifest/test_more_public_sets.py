"""Makers of public sets with several readers, masks in two files, and cups that are not marked."""

import numpy as np
import pytest
from PIL import Image
from public_trees import (
    disc,
    expected_ids,
    label_me,
    make,
    photograph,
    picture,
    sheet,
)
from scipy.io import savemat

from data_pipelines.images import read_mask
from data_pipelines.manifest import check_manifest, errors, read_manifest


def eyes_of(out):
    assert not errors(check_manifest(out / "manifest.csv"))
    return {eye.id: eye for eye in read_manifest(out / "manifest.csv").eyes}


# Drishti-GS1: four readers, whose discs have the radii 10, 12, 14 and 16, and cups half of them.


def soft(radii):
    votes = sum(disc(radius).astype(int) for radius in radii)
    return np.array([0, 64, 128, 191, 255])[votes]


@pytest.fixture
def drishti(tmp_path):
    root = tmp_path / "data/Drishti-GS1_files"
    rows = [
        ["Drishti-GS1 dataset"],
        [],
        [],
        ["Drishti-GS File", "Patient ID", "Marking 1", "Total"],
        [],
    ]
    for number, part, truth in (
        (2, "Training", "GT"), (4, "Training", "GT"), (8, "Training", "GT"),
        (1, "Test", "Test_GT"), (3, "Test", "Test_GT"),
    ):  # fmt: skip
        stem = f"drishtiGS_{number:03d}"
        photograph(root / f"Drishti-GS1_files/{part}/Images/{stem}.png", number)
        maps = root / f"Drishti-GS1_files/{part}/{truth}/{stem}/SoftMap"
        picture(maps / f"{stem}_ODsegSoftmap.png", soft((10, 12, 14, 16)))
        picture(maps / f"{stem}_cupsegSoftmap.png", soft((5, 6, 7, 8)))
        total = "Normal" if number == 8 else "Glaucomatous"
        rows.append([f"{stem}'", f"P{number // 2}", -1, total])
    sheet(root / "Drishti-GS1_diagnosis.xlsx", rows)
    return root


@pytest.mark.parametrize(
    ("agreement", "outer", "inner"), [("majority", 12, 6), ("any", 16, 8), ("all", 10, 5)]
)
def test_drishti(drishti, tmp_path, agreement, outer, inner):
    assert make("drishti", drishti, tmp_path / "out", f"--agreement={agreement}") == 0
    eyes = eyes_of(tmp_path / "out")
    assert (read_mask(eyes["drishtigs_001"].mask) == expected_ids(outer, inner)).all()
    assert eyes["drishtigs_008"].glaucoma == 0 and eyes["drishtigs_001"].glaucoma == 1


def test_drishti_disputed_pixels_are_ignored(drishti, tmp_path):
    assert make("drishti", drishti, tmp_path / "out", "--agreement=disputed") == 0
    ids = read_mask(eyes_of(tmp_path / "out")["drishtigs_001"].mask)
    assert [int(ids[32, 32 + x]) for x in (0, 6, 9, 11, 15, 20)] == [2, 255, 1, 255, 255, 0]


def test_drishti_people_in_both_parts(drishti, tmp_path, capsys):
    """Numbers 2 and 3 are of one person, one in train and one in test."""
    assert make("drishti", drishti, tmp_path / "out") == 0
    assert "1 people have eyes in two of the official splits" in capsys.readouterr().out
    eyes = eyes_of(tmp_path / "out")
    assert (eyes["drishtigs_002"].patient, eyes["drishtigs_003"].split) == ("drishtigs_002", "test")
    assert make("drishti", drishti, tmp_path / "by", "--by_patient") == 0
    eyes = eyes_of(tmp_path / "by")
    assert eyes["drishtigs_002"].patient == eyes["drishtigs_003"].patient == "P1"


def test_drishti_without_truth_or_sheet_and_with_a_map_of_another_eye(drishti, tmp_path, capsys):
    next(drishti.rglob("drishtiGS_003_ODsegSoftmap.png")).unlink()
    (drishti / "Drishti-GS1_diagnosis.xlsx").unlink()
    assert make("drishti", drishti, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "has no SoftMap/drishtiGS_003_ODsegSoftmap.png" in told
    assert "has no Drishti-GS1_diagnosis.xlsx" in told
    picture(next(drishti.rglob("drishtiGS_001_ODsegSoftmap.png")), np.zeros((64, 100)))
    assert make("drishti", drishti, tmp_path / "other") == 1
    assert "has 100 x 64 pixels (width x height), its photograph 64 x 64" in capsys.readouterr().err


# RIM-ONE DL


@pytest.fixture
def rim_one(tmp_path):
    root = tmp_path / "data/RIM-ONE"
    images, masks = root / "RIM-ONE_DL_images", root / "RIM-ONE_DL_reference_segmentations"
    for seed, (part, label, stem) in enumerate(
        (("training", "normal", "r1_Im001"), ("training", "glaucoma", "r2_Im002"),
         ("training", "normal", "r2_Im007"), ("test", "glaucoma", "r3_G-8-R"),
         ("test", "glaucoma", "r3_G-8-L"))
    ):  # fmt: skip
        for partition in ("partitioned_by_hospital", "partitioned_randomly"):
            photograph(images / f"{partition}/{part}_set/{label}/{stem}.png", seed)
        picture(masks / f"{label}/{stem}-1-Disc-T.png", 255 * disc(12))
        picture(masks / f"{label}/{stem}-1-Cup-T.png", 255 * disc(6))
    return root


def test_rim_one(rim_one, tmp_path):
    assert make("rim_one", rim_one, tmp_path / "out") == 0
    eyes = eyes_of(tmp_path / "out")
    assert eyes["r2_Im002"].glaucoma == 1 and eyes["r1_Im001"].glaucoma == 0
    assert (eyes["r3_G-8-R"].patient, eyes["r3_G-8-R"].eye) == ("r3_G-8", "OD")
    assert {name for name, eye in eyes.items() if eye.split == "test"} == {"r3_G-8-R", "r3_G-8-L"}
    assert (read_mask(eyes["r3_G-8-L"].mask) == expected_ids(12, 6)).all()
    assert make("rim_one", rim_one, tmp_path / "random", "--partition=random") == 0


def test_rim_one_masks_missing_and_exchanged(rim_one, tmp_path, capsys):
    next(rim_one.rglob("r1_Im001-1-Cup-T.png")).unlink()
    assert make("rim_one", rim_one, tmp_path / "out") == 0
    assert "1 of 5 crops have no NAME-1-Disc-T.png" in capsys.readouterr().out
    picture(next(rim_one.rglob("r2_Im002-1-Disc-T.png")), 255 * disc(6))
    picture(next(rim_one.rglob("r2_Im002-1-Cup-T.png")), 255 * disc(12))
    assert make("rim_one", rim_one, tmp_path / "swapped") == 1
    assert "are the two swapped" in capsys.readouterr().err


# Chaksu


@pytest.fixture
def chaksu(tmp_path):
    root = tmp_path / "data"
    for part, camera, stems in (
        ("Train", "Bosch", ("Image101", "Image102")),
        ("Test", "Remedio", ("IMG_1",)),
    ):
        base = root / part / part
        for seed, stem in enumerate(stems):
            photograph(
                base / f"1.0_Original_Fundus_Images/{camera}/{stem}.JPG", 10 * len(part) + seed
            )
            for what, folder, radius in (("Disc", "Disc", 12), ("Cup", "cup", 6)):
                fused = base / f"5.0_OD_OC_Mean_Median_Majority_STAPLE/{camera}/{what}/Majority"
                picture(fused / f"{stem.lower()}.tif", 255 * disc(radius))
                for reader in (1, 2, 3):
                    readings = (
                        base
                        / f"3.0_Doctors_Annotations_Binary_OD_OC/Expert {reader}/{camera}/{folder}"
                    )
                    picture(readings / f"{stem}.tif", 255 * disc(radius + reader - 2))
        decisions = (
            base / f"6.0_Glaucoma_Decision/Glaucoma_Decision_Comparison_{camera}_majority.csv"
        )
        decisions.parent.mkdir(parents=True)
        lines = ["Images,Expert.1,Majority Decision"] + [
            f"{stem}.jpg-{stem}-1.jpg,x,{'GLAUCOMA  SUSUPECT' if i else 'NORMAL'}"
            for i, stem in enumerate(stems)
        ]
        decisions.write_text("\n".join(lines), "utf-8-sig")
    return root


def test_chaksu(chaksu, tmp_path):
    assert make("chaksu", chaksu, tmp_path / "out") == 0
    eyes = eyes_of(tmp_path / "out")
    assert set(eyes) == {"train-bosch-image101", "train-bosch-image102", "test-remidio-img_1"}
    assert all(eye.glaucoma is None for eye in eyes.values())
    assert eyes["test-remidio-img_1"].split == "test"
    assert (read_mask(eyes["test-remidio-img_1"].mask) == expected_ids(12, 6)).all()


def test_chaksu_readers_and_suspects(chaksu, tmp_path, capsys):
    picture(
        next(chaksu.rglob("Expert 3/Bosch/Disc/Image101.tif")), 0 * disc(3)
    )  # Broken, as published.
    options = ("--agreement=all", "--suspects=glaucoma")
    assert make("chaksu", chaksu, tmp_path / "out", *options) == 0
    assert "Readers against each other, mean of 3 eyes" in capsys.readouterr().out
    eyes = eyes_of(tmp_path / "out")
    assert [eyes[f"train-bosch-image10{i}"].glaucoma for i in (1, 2)] == [0, 1]
    assert (read_mask(eyes["train-bosch-image101"].mask) == expected_ids(11, 5)).all()
    next(chaksu.rglob("*Bosch_majority.csv")).write_text(
        "Images,Majority Decision\nImage101.jpg,MAYBE\n"
    )
    assert make("chaksu", chaksu, tmp_path / "bad", *options) == 1
    assert "'MAYBE' is neither NORMAL nor" in capsys.readouterr().err


# ORIGA


@pytest.fixture
def origa(tmp_path):
    root = tmp_path / "data/ORIGA"
    lines = ["Eye,Filename,ExpCDR,Set,Glaucoma"]
    for number in range(1, 7):
        photograph(root / f"Images/{number:03d}.jpg", number)
        if number % 2:
            picture(root / f"Masks/{number:03d}.png", expected_ids(12, 6))
        else:
            (root / "Semi-automatic-annotations").mkdir(exist_ok=True)
            mat = root / f"Semi-automatic-annotations/{number:03d}.mat"
            savemat(mat, {"mask": expected_ids(12, 6).astype(np.uint8)})
        side, part = "OD" if number % 2 else "OS", "B" if number > 4 else "A"
        lines.append(f"{side},{number:03d}.jpg,0.5,{part},{number % 2}")
    (root / "OrigaList.csv").write_text("\n".join(lines))
    return root


def test_origa(origa, tmp_path):
    assert make("origa", origa, tmp_path / "out") == 0
    eyes = eyes_of(tmp_path / "out")
    assert {name for name, eye in eyes.items() if eye.split == "test"} == {"005", "006"}
    assert (eyes["002"].eye, eyes["002"].glaucoma, eyes["001"].glaucoma) == ("OS", 0, 1)
    for name in ("001", "002"):
        assert (read_mask(eyes[name].mask) == expected_ids(12, 6)).all()


def test_origa_frames_that_differ_and_files_that_are_none(origa, tmp_path, capsys):
    savemat(origa / "Semi-automatic-annotations/002.mat", {"mask": np.zeros((64, 90), np.uint8)})
    savemat(origa / "Semi-automatic-annotations/004.mat", {"other": np.zeros((64, 64), np.uint8)})
    (origa / "Semi-automatic-annotations/006.mat").write_bytes(b"MATLAB no more")
    (origa / "OrigaList.csv").unlink()
    assert make("origa", origa, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "has 90 x 64 pixels (width x height), its photograph 64 x 64" in told
    assert "holds no array 'mask'" in told and "cannot be read as a MATLAB file" in told
    assert "has no OrigaList.csv" in told


# G1020


@pytest.fixture
def g1020(tmp_path):
    root = tmp_path / "data/G1020"
    for number, radii in enumerate(
        ({"disc": 16, "cup": 8, "discLoc": 20}, {"disc": 16}, {"disc": 14, "cup": 5})
    ):
        photograph(root / f"Images/image_{number}.jpg", number)
        label_me(root / f"Images/image_{number}.json", **radii)
    (root / "G1020.csv").write_text(
        "imageID,binaryLabels\nimage_0.jpg,0\nimage_1.jpg,1\nimage_2.jpg,0\n"
    )
    return root


@pytest.mark.parametrize("form", ["json", "png"])
def test_g1020_without_a_cup_ignores_the_inside_of_the_disc(g1020, tmp_path, form):
    if form == "png":
        for number, (outer, inner) in enumerate(((16, 8), (16, -1), (14, 5))):
            (g1020 / f"Images/image_{number}.json").unlink()
            picture(g1020 / f"Masks/image_{number}.png", expected_ids(outer, inner))
    assert make("g1020", g1020, tmp_path / "out") == 0
    eyes = eyes_of(tmp_path / "out")
    ids = read_mask(eyes["image_1"].mask)
    # 3 % of 33 pixels: a ring of one pixel is rim.
    assert [int(ids[32, 32 + x]) for x in (0, 8, 14, 16, 18)] == [255, 255, 255, 1, 0]
    assert set(np.unique(read_mask(eyes["image_0"].mask))) == {0, 1, 2}
    assert [eyes[f"image_{n}"].glaucoma for n in range(3)] == [0, 1, 0]


def test_g1020_wrong_outlines(g1020, tmp_path, capsys):
    (g1020 / "Images/image_0.json").write_text("{}")
    label_me(g1020 / "Images/image_2.json", disc=200)
    assert make("g1020", g1020, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert (
        "is no LabelMe file with shapes" in told and "is it that of another, or of a crop?" in told
    )


# GRAPE and SMDG


@pytest.fixture
def grape(tmp_path):
    root = tmp_path / "data" / "grape"
    for seed, stem in enumerate(("1_OD_1", "1_OD_2", "1_OS_1", "2_OD_1", "3_OS_1")):
        photograph(root / f"ROI images/{stem}.jpg", seed)
        label_me(root / f"json/{stem}.json", OD=16, OC=8)
    return root


def test_grape(grape, tmp_path, capsys):
    (grape / "ROI images").rename(grape / "CFPs")
    assert make("grape", grape, tmp_path / "out") == 1
    assert "looked for ROI images/1_OD_1.jpg" in capsys.readouterr().err
    (grape / "CFPs").rename(grape / "ROI images")
    assert make("auto", grape, tmp_path / "out") == 0
    eyes = eyes_of(tmp_path / "out")
    assert (eyes["1_OS_1"].patient, eyes["1_OS_1"].eye) == ("1", "OS")
    ids = read_mask(eyes["1_OS_1"].mask)
    assert ids[32, 32] == 2 and ids[32, 44] == 1 and ids[32, 52] == 0


@pytest.fixture
def smdg(tmp_path):
    root = tmp_path / "data/smdg"
    lines = ["names,types,patient_id"]
    for seed, (name, label) in enumerate(
        (("PAPILA-1", 1), ("PAPILA-2", -1), ("BEH-1", 0), ("BEH-2", 1))
    ):
        photograph(root / f"full-fundus/full-fundus/{name}.png", 90 + seed)
        picture(root / f"optic-disc/optic-disc/{name}.png", 255 * disc(12))
        if name != "BEH-2":
            picture(root / f"optic-cup/optic-cup/{name}.png", 255 * disc(6))
        lines.append(f"{name},{label},{'5' if 'PAPILA' in name else ''}")
    (root / "metadata - standardized.csv").write_text("\n".join(lines))
    return root


def test_smdg_and_the_sets_that_it_repeats(smdg, tmp_path, drishti, capsys):
    assert make("smdg", smdg, tmp_path / "out") == 0
    eyes = eyes_of(tmp_path / "out")
    assert [eye.glaucoma for eye in eyes.values()] == [0, 1, 1, None]
    assert eyes["PAPILA-1"].patient == eyes["PAPILA-2"].patient == "PAPILA-5"
    assert read_mask(eyes["BEH-2"].mask)[32, 32] == 255
    assert make("drishti", drishti, tmp_path / "out", "--append") == 0
    assert "drishti and smdg share photographs or people" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["drishti", "rim_one", "chaksu", "origa", "g1020"])
def test_layouts_are_recognised_through_litter(name, request, tmp_path, capsys):
    root = request.getfixturevalue(name)
    some = next(file for file in sorted(root.rglob("*")) if file.suffix in (".png", ".jpg", ".JPG"))
    for litter in (f"__MACOSX/{some.name}", f"deeper/._{some.name}", "Thumbs.db"):
        (root / litter).parent.mkdir(exist_ok=True)
        (root / litter).write_bytes(b"litter")
    assert make("auto", root.parent, tmp_path / "out") == 0
    assert f"the layout is {name}" in capsys.readouterr().out
    assert make(name, tmp_path / "out", tmp_path / "none") == 1
    told = capsys.readouterr().err
    assert "looked for" in told and "at any depth; there is" in told


def test_a_binary_mask_of_three_values_is_none(rim_one, tmp_path, capsys):
    picture(next(rim_one.rglob("r2_Im002-1-Disc-T.png")), 100 * expected_ids(12, 6))
    assert make("rim_one", rim_one, tmp_path / "out") == 1
    assert "holds 3 values; a mask of one region has two" in capsys.readouterr().err
    Image.fromarray(disc(12)).save(next(rim_one.rglob("r2_Im002-1-Disc-T.png")))  # 1 bit
    assert make("rim_one", rim_one, tmp_path / "out") == 0
