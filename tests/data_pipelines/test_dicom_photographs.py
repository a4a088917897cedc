"""Photographs in DICOM files: pixels, spacing, and that nothing of a person comes out."""

import importlib.util
import re

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from data_pipelines.bad_file import BadFile
from data_pipelines.dicom_photographs import person_key, pixel_spacing
from data_pipelines.images import exif_orientation, image_size, is_dicom, read_fundus, side
from data_pipelines.images import pixel_spacing as spacing_of_any
from data_pipelines.load.stores import ArrayStore
from data_pipelines.manifest import ManifestError, check_manifest, read_manifest
from data_pipelines.manifest.__main__ import main as make_manifest

HEIGHT, WIDTH = 40, 60


@pytest.fixture(scope="module")
def pixels():
    """(H, W, 3) uint8: a smooth picture whose channels differ."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([60 + 3 * x, 40 + 2 * y, 20 + x + y], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    "how, off",
    [
        ({}, 0),
        ({"photometric": "YBR_FULL"}, 3),  # rounded there and back
        ({"photometric": "YBR_FULL_422"}, 6),  # the second pixel of a pair has the first's colour
        ({"photometric": "YBR_FULL_422", "jpeg": True}, 12),
    ],
)
def test_every_form_is_the_same_photograph(tmp_path, write_dicom_photograph, pixels, how, off):
    path = write_dicom_photograph(tmp_path / "eye.dcm", pixels, **how)
    found = read_fundus(path)
    assert found.dtype == np.uint8 and found.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(found.astype(int) - pixels).max() <= off
    assert np.abs(found.astype(int) - pixels).mean() <= off / 2.5
    assert is_dicom(path) and image_size(path) == (HEIGHT, WIDTH) and exif_orientation(path) == 1


def test_a_grey_photograph_is_repeated_and_needs_no_ending(
    tmp_path, write_dicom_photograph, pixels
):
    path = tmp_path / "1.2.840.7"
    write_dicom_photograph(path, pixels[..., 1], photometric="MONOCHROME2")
    np.testing.assert_array_equal(read_fundus(path), np.repeat(pixels[..., 1:2], 3, axis=2))


BAD = {
    "frames": ({"NumberOfFrames": 3}, "holds 3 frames"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "holds PALETTE COLOR pixels"),
    "bits": ({"BitsAllocated": 16}, "holds 16 bits"),
    "no picture": ({"Rows": None}, "without a picture .Rows missing"),
    "absurd": ({"Rows": 30000}, "absurd size"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_photograph_is_told(tmp_path, write_dicom_photograph, pixels, name):
    elements, words = BAD[name]
    path = write_dicom_photograph(tmp_path / "eye.dcm", pixels, **elements)
    with pytest.raises(BadFile, match=words):
        read_fundus(path)


def test_a_truncated_file_is_told_and_no_text_names_a_person(
    tmp_path, write_dicom_photograph, pixels, capfd, recwarn
):
    path = write_dicom_photograph(
        tmp_path / "eye.dcm", pixels, PatientBirthDate="born in Casterbridge", PatientAge="JANE"
    )
    recwarn.clear()  # pydicom warns of such an age where it is written
    content = path.read_bytes()
    said = []
    for length in range(132, len(content), 61):
        path.write_bytes(content[:length])
        with pytest.raises(BadFile) as told:
            read_fundus(path)
        said.append(str(told.value))
    path.write_bytes(content)
    read_fundus(path)
    said += [*capfd.readouterr(), *(str(warning.message) for warning in recwarn)]
    for word in ("Roe", "Jane", "JANE", "Casterbridge", "4711", "Quincy", "Elsewhere"):
        assert not any(word in text for text in said), word


@pytest.mark.parametrize(
    "name, off",
    [("SC_rgb_jpeg_gdcm.dcm", 0), ("SC_rgb_jls_lossy_line.dcm", 10), ("SC_rgb_jls_lossy_sample.dcm", 10)],
)
def test_lossless_jpeg_and_jpeg_ls_are_read_with_the_extra_that_is_named(name, off):
    """pydicom's own files of one picture: the first is lossless, JPEG-LS is off by up to 10."""
    file = get_testdata_file(name, download=False)
    if importlib.util.find_spec("pylibjpeg") is None:
        with pytest.raises(BadFile, match=r"cannot be decoded here; pip install 'imo_jax\[codecs\]'"):
            read_fundus(file)
        return
    found = read_fundus(file).astype(int)
    expected = read_fundus(get_testdata_file("SC_rgb_rle.dcm", download=False))
    assert np.abs(found - expected).max() <= off


@pytest.mark.parametrize(
    "elements, mm, doubt",
    [
        ({}, None, None),
        ({"PixelSpacing": [0.007, 0.007]}, 0.007, None),
        ({"PixelSpacing": [0.007, 0.007], "ImagerPixelSpacing": [0.05, 0.05]}, 0.007, None),
        ({"ImagerPixelSpacing": [0.006, 0.006]}, 0.006, "on the camera's sensor"),
        ({"NominalScannedPixelSpacing": [0.01, 0.01]}, 0.01, "on the film"),
        ({"PixelSpacing": [0.007, 0.008]}, None, r"not square \(0.007 x 0.008 mm\)"),
        ({"PixelSpacing": [7, 7]}, None, "not 0.0005 to 0.2 mm"),
        ({"PixelSpacing": [0, 0]}, None, "not 0.0005 to 0.2 mm"),
        ({"PixelSpacing": [0.007]}, None, "not 0.0005 to 0.2 mm"),
    ],
)
def test_how_large_a_pixel_is(tmp_path, write_dicom_photograph, pixels, elements, mm, doubt):
    found = pixel_spacing(write_dicom_photograph(tmp_path / "eye.dcm", pixels, **elements))
    assert found.mm == (None if mm is None else pytest.approx(mm))
    assert len(found.doubts) == (doubt is not None)
    assert doubt is None or re.search(doubt, found.doubts[0])


def test_a_check_doubts_a_spacing_too(tmp_path, write_dicom_photograph, pixels):
    write_dicom_photograph(tmp_path / "a.dcm", pixels, PixelSpacing=[0.007, 0.008])
    (tmp_path / "m.csv").write_text("id,patient,split,fundus,oct,mask,grade\na,a,,a.dcm,,,\n")
    found = [p for p in check_manifest(tmp_path / "m.csv") if "PixelSpacing" in p.reason]
    assert [(p.row, p.severity) for p in found] == [(2, "warning")]


@pytest.mark.parametrize("cell, words", [("7", "impossible"), ("7 um", "not a number")])
def test_a_spacing_that_no_camera_has_is_an_error(tmp_path, pixels, cell, words):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    columns = "id,patient,split,fundus,oct,mask,grade,mm_per_pixel"
    (tmp_path / "m.csv").write_text(f"{columns}\na,a,,a.png,,,,{cell}\n")
    with pytest.raises(ManifestError, match=f"mm_per_pixel.*{words}"):
        read_manifest(tmp_path / "m.csv")


def test_the_manifests_column_goes_before_the_file(tmp_path, write_dicom_photograph, pixels):
    write_dicom_photograph(tmp_path / "a.dcm", pixels, PixelSpacing=[0.007, 0.007])
    write_dicom_photograph(tmp_path / "b.dcm", pixels + 1, PixelSpacing=[0.007, 0.007])
    Image.fromarray(pixels + 2).save(tmp_path / "c.png")
    (tmp_path / "m.csv").write_text(
        "id,patient,split,fundus,oct,mask,grade,mm_per_pixel\n"
        "a,a,test,a.dcm,,,,0.01\nb,b,test,b.dcm,,,,\nc,c,test,c.png,,,,\n"
    )
    store = ArrayStore.from_manifest(read_manifest(tmp_path / "m.csv"), 16, None)
    assert store.mm_per_pixel("test") == [0.01, pytest.approx(0.007), None]
    assert spacing_of_any(tmp_path / "c.png").mm is None
    assert store.sides("test") == ["OD", "OD", None]


@pytest.mark.parametrize(
    "elements, eye",
    [
        ({"ImageLaterality": "L"}, "OS"),
        ({"ImageLaterality": None, "Laterality": "R"}, "OD"),
        ({"ImageLaterality": "B"}, None),
        ({"ImageLaterality": None}, None),
    ],
)
def test_which_eye_it_is(tmp_path, write_dicom_photograph, pixels, elements, eye):
    assert side(write_dicom_photograph(tmp_path / "eye.dcm", pixels, **elements)) == eye


def test_a_folder_of_dicom_photographs_keeps_a_person_in_one_split(
    tmp_path, write_dicom_photograph, capsys
):
    rng = np.random.default_rng(0)
    people = ("A1", "A1", "B2", "B2", "C3", "C3", None, "D4", "D4")
    for i, person in enumerate(people):
        file = tmp_path / f"mine/images/eye{i}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(60, 200, (64, 64, 3)).astype(np.uint8)
        write_dicom_photograph(file, noise, PatientID=person)
    labels = "".join(f"eye{i},{i % 2}\n" for i in range(len(people)))
    (tmp_path / "mine/grades.csv").write_text("id,grade\n" + labels)
    command = ["--layout=folder", f"--root={tmp_path / 'mine'}", f"--out={tmp_path / 'out'}"]
    assert make_manifest(command) == 0
    told = capsys.readouterr().out
    assert "The headers of 8 DICOM photographs tell 4 people" in told
    eyes = read_manifest(tmp_path / "out/manifest.csv").eyes
    assert [eye.patient for eye in eyes] == [
        "eye0", "eye0", "eye2", "eye2", "eye4", "eye4", "eye6", "eye7", "eye7"
    ]  # fmt: skip
    assert all(len({e.split for e in eyes if e.patient == p}) == 1 for p in ("eye0", "eye7"))
    written = "".join(file.read_text() for file in (tmp_path / "out").glob("manifest.*"))
    for text in (told, written):
        assert not any(name in text for name in ("A1", "HOSPITAL", "Roe"))


def test_people_are_told_by_id_and_issuer(tmp_path, write_dicom_photograph, pixels):
    def key(name, **elements):
        return person_key(write_dicom_photograph(tmp_path / f"{name}.dcm", pixels, **elements))

    assert key("a", PatientID="7") == key("b", PatientID=" 7 ") != key("c", PatientID="8")
    assert key("d", PatientID="7", IssuerOfPatientID="X") != key("e", PatientID="7")
    assert key("f", PatientID="") is None is key("g", PatientID=None)
    assert "7" != key("h", PatientID="7") and len(key("i", PatientID="7")) == 64
