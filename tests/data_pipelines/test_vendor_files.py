"""Volumes in vendors' files and single pictures: told by content or name, refused with advice."""

import struct
import sys
import types

import numpy as np
import pytest
from PIL import Image

from data_pipelines.bad_file import BadFile
from data_pipelines.vendor_files import CIRRUS_DEPTH
from data_pipelines.volumes import read_volume

VOLUME = np.random.default_rng(0).integers(0, 256, (3, 10, 9), np.uint8)


# --- Heidelberg ----------------------------------------------------------------------


def write_vol_header(path, slices=3, depth=10, width=9):
    """The start of a .vol file: version, then width, number and depth of the B-scans."""
    path.write_bytes(b"HSF-OCT-103\0" + struct.pack("<3I", width, slices, depth) + bytes(200))
    return path


class FakeE2eReader:
    volumes = (types.SimpleNamespace(data=VOLUME),)

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def fake_eyepy(monkeypatch):
    """Stands for eyepy, which is an extra."""
    fake = types.ModuleType("eyepy")
    fake.import_heyex_vol = lambda path: types.SimpleNamespace(data=VOLUME)
    fake.io = types.ModuleType("eyepy.io")
    fake.io.HeE2eReader = FakeE2eReader
    monkeypatch.setitem(sys.modules, "eyepy", fake)
    monkeypatch.setitem(sys.modules, "eyepy.io", fake.io)
    return fake


def test_vol_is_told_by_its_start(tmp_path, fake_eyepy):
    assert (read_volume(write_vol_header(tmp_path / "any.dat")) == VOLUME).all()


@pytest.mark.parametrize(("name", "start"), [("v.E2E", b"whatever"), ("any.dat", b"CMDb\0\0\0\0")])
def test_e2e_is_told_by_its_suffix_or_start(tmp_path, fake_eyepy, name, start):
    (tmp_path / name).write_bytes(start + bytes(200))
    assert (read_volume(tmp_path / name) == VOLUME).all()


@pytest.mark.parametrize("number", [0, 2])
def test_e2e_of_no_or_several_volumes(tmp_path, fake_eyepy, monkeypatch, number):
    monkeypatch.setattr(FakeE2eReader, "volumes", FakeE2eReader.volumes * number)
    (tmp_path / "v.e2e").write_bytes(bytes(200))
    with pytest.raises(BadFile, match=f"holds {number} raster volumes; export one"):
        read_volume(tmp_path / "v.e2e")


def test_without_eyepy_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "eyepy", None)
    (tmp_path / "v.e2e").write_bytes(bytes(200))
    for path in (write_vol_header(tmp_path / "v.vol"), tmp_path / "v.e2e"):
        with pytest.raises(BadFile, match=r"needs eyepy: pip install 'imo_jax\[vendor\]'"):
            read_volume(path)


def test_a_vol_of_absurd_size_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "eyepy", None)
    with pytest.raises(BadFile, match="absurd size"):
        read_volume(write_vol_header(tmp_path / "v.vol", slices=100_000))


def test_what_eyepy_raises_names_the_file(tmp_path, fake_eyepy):
    def fail(path):
        raise IndexError("stream ended")

    fake_eyepy.import_heyex_vol = fail
    with pytest.raises(
        BadFile, match="v.vol: cannot be read as a volume .IndexError: stream ended"
    ):
        read_volume(write_vol_header(tmp_path / "v.vol"))


def vol_file(volume):
    """The bytes of a .vol file of these grey values, field by field as Heidelberg documents them."""
    slices, depth, width = volume.shape
    slo, header_size = (16, 16), 256 + 4 * width  # One layer boundary a B-scan.
    header = struct.pack("<12s3I3d2I2dId", b"HSF-OCT-103", width, slices, depth, 0.03, 0.03, 0.002,
                         *slo, 0.1, 0.1, 30, 0.0)  # fmt: skip
    header += struct.pack("<4sQiI16s16sI24s", b"OD", 130_000_000_000_000_000, 3, header_size,
                          b"1", b"", 7, b"p7")  # fmt: skip
    header += struct.pack("<dI24sd4I34s", 20000.0, 1, b"v1", 41000.0, 0, 0, 0, 0, b"")
    b_scans = b""
    for number, b_scan in enumerate(volume):
        position = (1.0, 0.1 * number, 5.0, 0.1 * number)
        head = struct.pack("<12sI4d2IfI", b"HSF-BS-103", header_size, *position, 1, 256, 30.0, 0)
        reflectance = np.exp(b_scan / 255 * 8.285 - 8.3) - 2.44e-4
        layer = np.full(width, 2.0, "<f4").tobytes()
        b_scans += head.ljust(256, b"\0") + layer + reflectance.astype("<f4").tobytes()
    return header.ljust(2048, b"\0") + bytes(slo[0] * slo[1]) + b_scans


def test_a_whole_vol_through_eyepy(tmp_path):
    pytest.importorskip("eyepy")
    path = tmp_path / "v.vol"
    path.write_bytes(vol_file(VOLUME))
    volume = read_volume(path)
    assert volume.dtype == np.uint8 and volume.shape == VOLUME.shape
    assert abs(volume.astype(int) - VOLUME).max() <= 1
    path.write_bytes(vol_file(VOLUME)[:-100])
    with pytest.raises(BadFile, match="v.vol"):
        read_volume(path)


# --- Cirrus --------------------------------------------------------------------------


def test_cirrus_takes_its_size_from_the_name(tmp_path):
    stored = np.random.default_rng(0).integers(0, 256, (3, CIRRUS_DEPTH, 20), np.uint8)
    path = tmp_path / "P1_Optic Disc Cube 20x3_9-21-2010_11-42-13_OS_sn0415_cube_z.img"
    stored.tofile(path)
    volume = read_volume(path)
    assert volume.shape == (3, CIRRUS_DEPTH, 20)
    # Stored upside down and from right to left.
    assert volume[1, 0, 0] == stored[1, -1, -1]
    assert volume[2, 5, 19] == stored[2, -6, 0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cube_z.img", "does not tell its size"),
        ("20x3_and_30x3.img", "does not tell its size"),
        ("20x4_cube_z.img", "says 20 x 4 A-scans of 1024"),
        ("9000x900.img", "absurd size"),
    ],
)
def test_cirrus_of_another_size_than_its_name(tmp_path, name, words):
    (tmp_path / name).write_bytes(bytes(3 * CIRRUS_DEPTH * 20))
    with pytest.raises(BadFile, match=words):
        read_volume(tmp_path / name)


# --- one picture ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "I;16"])
def test_a_grey_picture_is_a_volume_of_one_b_scan(tmp_path, mode):
    pixels = VOLUME[0]
    if mode == "RGB":
        picture = Image.fromarray(np.dstack([pixels] * 3))
    elif mode == "I;16":
        picture = Image.fromarray(pixels.astype(np.uint16))
    else:
        picture = Image.fromarray(pixels).convert(mode)
    picture.save(tmp_path / "v.png")
    volume = read_volume(tmp_path / "v.png")
    assert volume.shape == (1, 10, 9)
    assert volume.dtype == (np.float32 if mode == "I;16" else np.uint8)
    assert (volume[0] == pixels).all()


@pytest.mark.parametrize("suffix", ["jpg", "bmp"])
def test_other_pictures(tmp_path, suffix):
    smooth = np.linspace(0, 255, 256).reshape(16, 16).astype(np.uint8)
    Image.fromarray(np.dstack([smooth] * 3)).save(tmp_path / f"v.{suffix}")
    assert abs(read_volume(tmp_path / f"v.{suffix}")[0].astype(int) - smooth).max() < 12


def test_a_truncated_picture_is_refused(tmp_path):
    Image.fromarray(VOLUME[0]).save(tmp_path / "v.png")
    content = (tmp_path / "v.png").read_bytes()
    (tmp_path / "v.png").write_bytes(content[:-20])
    with pytest.raises(BadFile, match="truncated"):
        read_volume(tmp_path / "v.png")


def test_a_photograph_is_no_volume(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "v.png")
    with pytest.raises(BadFile, match="coloured picture, in no known form"):
        read_volume(tmp_path / "v.png")
