"""What reading and preparing a volume takes beside the volume itself: a few B-scans, no second copy."""

import tracemalloc

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from data_pipelines.quality import volume_doubts, volume_faults
from data_pipelines.volume_form import AS_STORED, ORDERS, VolumeForm
from data_pipelines.volumes import read_volume, to_cube, to_scans

pytestmark = pytest.mark.quick

SHAPE = (60, 200, 100)  # slices, depth, width
ROOM = 0.15  # of the volume: a few of its slices
BESIDE = 400_000  # bytes for unzipping and for what describes a file


def voxels(dtype):
    noise = np.random.default_rng(0).random(SHAPE)
    layers = np.exp(-(((np.arange(200) / 200 - 0.5) / 0.08) ** 2))[:, None]
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return ((layers + noise) / 2 * white).astype(dtype)


def peak_of(function):
    """(result, bytes that were held at most while it was computed)."""
    function()  # what is imported on the way stays
    tracemalloc.start()
    try:
        found = function()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_reading(tmp_path, dtype, suffix):
    volume, file = voxels(dtype), tmp_path / f"v.{suffix}"
    np.save(file, volume) if suffix == "npy" else np.savez_compressed(file, volume)
    found, peak = peak_of(lambda: read_volume(file))
    np.testing.assert_array_equal(found, volume.astype(found.dtype))
    assert found.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    assert peak < (1 + ROOM) * found.nbytes + BESIDE


def held_once(file, expected, form=AS_STORED):
    """Whether a volume is read as expected, and nothing as large held beside it."""
    found, peak = peak_of(lambda: read_volume(file, form))
    np.testing.assert_array_equal(found, expected.astype(found.dtype))
    assert found.dtype == (np.uint8 if expected.dtype == np.uint8 else np.float32)
    assert found.flags.c_contiguous
    assert peak < (1 + ROOM) * found.nbytes + BESIDE


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
@pytest.mark.parametrize("order", ORDERS)
def test_reading_other_axes(tmp_path, order, dtype):
    volume, axes = voxels(dtype), order.split(",")
    stored = volume.transpose([("slices", "depth", "width").index(axis) for axis in axes])
    for write in (np.ascontiguousarray, np.asfortranarray):
        np.save(tmp_path / "v.npy", write(stored))
        held_once(tmp_path / "v.npy", volume, VolumeForm(axes=order))


def in_one_piece(path, volume, **options):
    tifffile.imwrite(path, volume, **options)


def frame_by_frame(path, volume, **options):
    with tifffile.TiffWriter(path) as file:
        for b_scan in volume:
            file.write(b_scan, contiguous=False, **options)


def by_pillow(path, volume):
    first, *others = [Image.fromarray(b_scan) for b_scan in volume]
    first.save(path, save_all=True, append_images=others, compression="tiff_lzw")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "write",
    [
        in_one_piece,
        frame_by_frame,
        by_pillow,
        lambda path, volume: in_one_piece(path, volume, compression="zlib"),
        lambda path, volume: in_one_piece(path, volume, byteorder=">"),
        lambda path, volume: in_one_piece(
            path, np.iinfo(volume.dtype).max - volume, photometric="miniswhite"
        ),
        lambda path, volume: in_one_piece(
            path, np.repeat(volume[..., None], 3, -1), photometric="rgb"
        ),
    ],
    ids=["one piece", "frames", "LZW", "deflated", "big endian", "negative", "colours"],
)
def test_reading_tiff(tmp_path, write, dtype):
    volume = voxels(dtype)
    write(tmp_path / "v.tif", volume)
    held_once(tmp_path / "v.tif", volume)


def dicom(volume, syntax=ExplicitVRLittleEndian, **elements):
    """A DICOM data set with these frames."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
        "1.2.840.10008.5.1.4.1.1.77.1.5.4"
    )
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = volume.shape[:3]
    dataset.SamplesPerPixel = 1 if volume.ndim == 3 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if volume.ndim == 3 else "RGB"
    dataset.BitsAllocated = dataset.BitsStored = 8 * volume.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    if volume.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = volume.tobytes()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_reading_dicom(tmp_path, syntax, dtype):
    volume = voxels(dtype)
    dicom(volume, syntax).save_as(tmp_path / "v.dcm", enforce_file_format=True)
    held_once(tmp_path / "v.dcm", volume)
    held_once(tmp_path / "v.dcm", volume.transpose(1, 2, 0), VolumeForm("width,slices,depth"))


def test_reading_a_negative_dicom(tmp_path):
    volume = voxels(np.uint16)
    negative = dicom(volume, PhotometricInterpretation="MONOCHROME1")
    negative.save_as(tmp_path / "v.dcm", enforce_file_format=True)
    held_once(tmp_path / "v.dcm", volume.max() - volume)


def test_reading_dicom_in_colours(tmp_path):
    volume = np.tile(voxels(np.uint8), (2, 1, 1))
    dicom(np.repeat(volume[..., None], 3, -1)).save_as(
        tmp_path / "v.dcm", enforce_file_format=True
    )
    held_once(tmp_path / "v.dcm", volume)


def test_reading_compressed_dicom(tmp_path):
    volume = voxels(np.uint16) // 4096 * 4096
    packed = dicom(volume)
    packed.compress(RLELossless)
    packed.save_as(tmp_path / "v.dcm", enforce_file_format=True)
    found, peak = peak_of(lambda: read_volume(tmp_path / "v.dcm"))
    np.testing.assert_array_equal(found, volume)
    in_file = (tmp_path / "v.dcm").stat().st_size
    assert in_file < found.nbytes / 2
    assert peak < (1 + ROOM) * found.nbytes + 1.1 * in_file + BESIDE


def test_reading_a_folder_of_dicom_files(tmp_path):
    volume = voxels(np.uint16)
    for number, b_scan in enumerate(volume):
        one = dicom(b_scan[None], InstanceNumber=number + 1)
        one.save_as(tmp_path / f"IM{len(volume) - number}", enforce_file_format=True)
    held_once(tmp_path, volume[::-1])


def test_reading_a_folder_of_b_scans(tmp_path):
    volume = voxels(np.uint16)
    for i, b_scan in enumerate(volume):
        Image.fromarray(b_scan).save(tmp_path / f"{i}.png")
    found, peak = peak_of(lambda: read_volume(tmp_path))
    np.testing.assert_array_equal(found, volume)
    assert found.dtype == np.float32 and peak < (1 + ROOM) * found.nbytes


def test_a_range_gives_bytes_without_a_copy_of_floats(tmp_path):
    volume = voxels(np.float32)
    form = VolumeForm(range="0.1..0.9")
    found, peak = peak_of(lambda: form.of(volume, "v.npy"))
    expected = np.clip(np.rint((volume - 0.1) * (255 / 0.8)), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(found, expected)
    assert peak < found.nbytes + ROOM * volume.nbytes


@pytest.mark.parametrize(
    "work",
    [volume_faults, volume_doubts, lambda v: to_scans(v, 16, 16), lambda v: to_cube(v, 8, 16, 16)],
    ids=["faults", "doubts", "scans", "cube"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_is_done_with_a_volume(work, dtype):
    # The percentiles are those of about a million numbers, here nearly all: 8 bytes each at most.
    volume = np.tile(voxels(dtype), (8, 1, 1)) if dtype == np.uint8 else voxels(dtype)
    _, peak = peak_of(lambda: work(volume))
    assert peak < ROOM * volume.nbytes + 3 * 8 * 1_200_000
