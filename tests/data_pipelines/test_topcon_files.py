"""Volumes in Topcon's files, built by the layout that the reader's head states."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from data_pipelines.bad_file import BadFile
from data_pipelines.volume_files import read_volume

VOLUME = np.random.default_rng(0).integers(0, 256, (3, 12, 9), np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (3, 12, 9), np.uint16)


def topcon(chunks, kind=b"FDA"):
    """A file of named chunks between a patient's and a last one."""
    file = b"FOCT" + kind + struct.pack("<2I", 2, 1000)
    for name, data in [
        (b"@PATIENT_INFO_02", b"Doe".ljust(64, b"\0")),
        *chunks,
        (b"@FAST_Q2_INFO", bytes(7)),
    ]:
        file += bytes([len(name)]) + name + struct.pack("<I", len(data)) + data
    return file + b"\0"


def pictures(volume, mode=2, form="JPEG2000", width=None):
    slices, depth, _ = volume.shape
    data = struct.pack("<B6I", mode, 0, 0, width or volume.shape[2], depth, slices, 0)
    for b_scan in volume:
        coded = io.BytesIO()
        Image.fromarray(b_scan).save(
            coded, form, **({"no_jp2": True} if form == "JPEG2000" else {})
        )
        data += struct.pack("<I", coded.tell()) + coded.getvalue()
    return b"@IMG_JPEG", data


def raw(name, volume, bits=16):
    slices, depth, width = volume.shape
    head = struct.pack("<B4IBI", 2, width, depth, bits, slices, 0, volume.nbytes)
    return name, head + volume.astype("<u2").tobytes()


def fewer_told(chunk, at=17):
    """A chunk whose head tells of one slice."""
    name, data = chunk
    return name, data[:at] + struct.pack("<I", 1) + data[at + 4 :]


def read(tmp_path, file, name="v.fda"):
    (tmp_path / name).write_bytes(file)
    return read_volume(tmp_path / name)


def test_b_scans_as_pictures(tmp_path):
    volume = read(tmp_path, topcon([pictures(VOLUME)]))
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume, VOLUME)


@pytest.mark.parametrize(
    ("chunk", "kind", "name"),
    [(b"@IMG_MOT_COMP_03", b"FDA", "v.fda"), (b"@IMG_SCAN_03", b"FDS", "volume_of_no_suffix")],
)
def test_b_scans_as_numbers_of_16_bits(tmp_path, chunk, kind, name):
    volume = read(tmp_path, topcon([raw(chunk, DEEP)], kind), name)
    assert volume.dtype == np.float32
    np.testing.assert_array_equal(volume, DEEP)


def test_pictures_come_before_numbers(tmp_path):
    volume = read(tmp_path, topcon([raw(b"@IMG_MOT_COMP_03", DEEP), pictures(VOLUME)]))
    np.testing.assert_array_equal(volume, VOLUME)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (topcon([]), r"without a volume .*it holds @PATIENT_INFO_02, @FAST_Q2_INFO; export"),
        (topcon([pictures(VOLUME, mode=3)]), "is a radial scan"),
        (topcon([pictures(VOLUME, width=8)]), r"B-scan 1 is a picture of 9 x 12 .*; 8 x 12 of 8-bit"),
        (topcon([raw(b"@IMG_SCAN_03", DEEP, bits=12)]), "of 12 bits a voxel"),
        (topcon([pictures(VOLUME)])[:-60], "is truncated"),
        (topcon([raw(b"@IMG_SCAN_03", DEEP)])[:300], "is truncated"),
        (topcon([(b"@IMG_SCAN_03", struct.pack("<B4IBI", 2, 9, 12, 16, 2**31, 0, 0))]), "absurd size"),
        (topcon([fewer_told(pictures(VOLUME))]), "number or size of the B-scans is not what"),
        (topcon([fewer_told(raw(b"@IMG_SCAN_03", DEEP), 13)]), "number or size of the B-scans is not what"),
        (topcon([(b"@IMG_JPEG", pictures(VOLUME)[1][:25] + struct.pack("<I", 5) + b"abcde" * 99)]),
         "cannot be read as a volume"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named(tmp_path, file, words):
    with pytest.raises(BadFile, match=words):
        read(tmp_path, file)


def test_a_patients_name_is_never_told(tmp_path):
    with pytest.raises(BadFile) as refused:
        read(tmp_path, topcon([]))
    assert "Doe" not in str(refused.value)
