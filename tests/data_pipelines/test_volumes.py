"""OCT volumes: the forms on disk, and the way to the model's grid."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from data_pipelines import dicom_volumes
from data_pipelines.bad_file import BadFile
from data_pipelines.volume_files import natural_key
from data_pipelines.volumes import byte_range, centre_scans, read_volume, to_cube, to_grid, to_scans

VOLUME = np.random.default_rng(0).integers(0, 256, (12, 10, 9), np.uint8)


# --- reading -------------------------------------------------------------------------


def write_npy(folder):
    np.save(folder / "v.npy", VOLUME)
    return folder / "v.npy"


def write_fortran_npy(folder):
    np.save(folder / "v.npy", np.asfortranarray(VOLUME))
    return folder / "v.npy"


def write_npz(folder):
    np.savez_compressed(folder / "v.npz", anything=VOLUME)
    return folder / "v.npz"


def write_folder(folder):
    scans = folder / "scans"
    scans.mkdir()
    for index, b_scan in enumerate(VOLUME):  # Unpadded: 10_image sorts before 2_image as text.
        Image.fromarray(b_scan).save(scans / f"{index}_image.png")
    (scans / "Thumbs.db").write_bytes(b"x")
    (scans / "._0_image.png").write_bytes(b"x")
    return scans


def write_rgb_folder(folder):
    scans = folder / "scans"
    scans.mkdir()
    for index, b_scan in enumerate(VOLUME):
        Image.fromarray(np.dstack([b_scan] * 3)).save(scans / f"Scan{index + 1}.bmp")
    return scans


def write_tiff(folder):
    tifffile.imwrite(folder / "v.tif", VOLUME)
    return folder / "v.tif"


def write_tiff_pages(folder):
    pages = [Image.fromarray(b_scan) for b_scan in VOLUME]
    pages[0].save(folder / "v.tiff", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    return folder / "v.tiff"


def write_tiff_frames(folder):
    with tifffile.TiffWriter(folder / "v.tif") as file:
        for b_scan in VOLUME:
            file.write(b_scan)
    return folder / "v.tif"


def write_rgb_tiff_frames(folder):
    pages = [Image.fromarray(np.dstack([b_scan] * 3)) for b_scan in VOLUME]
    pages[0].save(folder / "v.tiff", save_all=True, append_images=pages[1:])
    return folder / "v.tiff"


def write_rgb_tiff(folder):
    tifffile.imwrite(folder / "v.tif", np.repeat(VOLUME[..., None], 3, -1), photometric="rgb")
    return folder / "v.tif"


def write_dicom(folder, volume=VOLUME, **fields):
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian

    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.4"
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = volume.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * volume.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = volume.tobytes()
    dataset.save_as(folder / "v.dcm", enforce_file_format=True)
    return folder / "v.dcm"


@pytest.mark.parametrize(
    "write",
    [
        write_npy, write_fortran_npy, write_npz, write_folder, write_rgb_folder, write_tiff,
        write_tiff_pages, write_tiff_frames, write_rgb_tiff, write_rgb_tiff_frames, write_dicom,
    ],
)  # fmt: skip
def test_every_form_gives_the_same_volume(tmp_path, write):
    volume = read_volume(write(tmp_path))
    assert volume.dtype == np.uint8
    assert volume.shape == VOLUME.shape
    assert (volume == VOLUME).all()


@pytest.mark.parametrize("write", [write_npy, write_tiff_pages, write_tiff_frames, write_dicom])
def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path, write):
    path = write(tmp_path)
    content = path.read_bytes()
    for length in range(140, len(content), 37):
        path.write_bytes(content[:length])
        try:
            volume = read_volume(path)
        except BadFile:
            continue
        assert volume.shape == VOLUME.shape, length
        assert (volume == VOLUME).all()


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_tiff_variants(tmp_path, options):
    with tifffile.TiffWriter(tmp_path / "v.tif", **options) as file:
        for b_scan in VOLUME:
            file.write(b_scan)
    assert (read_volume(tmp_path / "v.tif") == VOLUME).all()
    content = (tmp_path / "v.tif").read_bytes()
    (tmp_path / "v.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadFile, match="truncated or damaged after"):
        read_volume(tmp_path / "v.tif")


def test_tiff_of_unequal_frames(tmp_path):
    with tifffile.TiffWriter(tmp_path / "v.tif") as file:
        file.write(VOLUME[0])
        file.write(VOLUME[0, :5])
    with pytest.raises(BadFile, match="different sizes"):
        read_volume(tmp_path / "v.tif")


def test_negative_dicom_is_turned(tmp_path):
    path = write_dicom(tmp_path, PhotometricInterpretation="MONOCHROME1")
    assert (read_volume(path) == VOLUME.max() - VOLUME).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float16, np.float32, np.float64])
def test_other_types_become_float32(tmp_path, dtype):
    np.save(tmp_path / "v.npy", VOLUME.astype(dtype))
    volume = read_volume(tmp_path / "v.npy")
    assert volume.dtype == np.float32
    assert (volume == VOLUME).all()


def test_sixteen_bit_pictures_keep_their_values(tmp_path):
    (tmp_path / "scans").mkdir()
    for index, b_scan in enumerate(VOLUME.astype(np.uint16) * 200):
        Image.fromarray(b_scan).save(tmp_path / f"scans/{index}.png")
    assert (read_volume(tmp_path / "scans") == VOLUME.astype(np.float32) * 200).all()


def test_the_form_is_told_from_the_content(tmp_path):
    write_npy(tmp_path).rename(tmp_path / "v.dat")
    assert (read_volume(tmp_path / "v.dat") == VOLUME).all()


def test_names_sort_by_their_numbers():
    names = ["10_image", "9_image", "a2b10", "a2b9", "A10", "scan"]
    assert sorted(names, key=natural_key) == ["9_image", "10_image", "a2b9", "a2b10", "A10", "scan"]


def test_value_beyond_float32(tmp_path):
    np.save(tmp_path / "v.npy", np.full((2, 8, 8), 1e300))
    with pytest.raises(BadFile, match="float32"):
        read_volume(tmp_path / "v.npy")


def test_folder_in_a_folder_is_hinted_at(tmp_path):
    (tmp_path / "outer/inner").mkdir(parents=True)
    with pytest.raises(BadFile, match="did you mean its folder 'inner'"):
        read_volume(tmp_path / "outer")


# --- the grid ------------------------------------------------------------------------


def test_same_grid_only_moves_the_slice_axis():
    grid = to_grid(VOLUME, 12, 10, 9)
    assert grid.dtype == np.uint8
    assert (grid == VOLUME.transpose(1, 2, 0)).all()


def test_integer_factors_average_neighbours():
    grid = to_grid(VOLUME, 6, 10, 9)
    pairs = VOLUME.reshape(6, 2, 10, 9).astype(np.float64).mean(axis=1)
    assert abs(grid - pairs.transpose(1, 2, 0)).max() <= 0.5
    threes = VOLUME.reshape(4, 3, 10, 9).astype(np.float64).mean(axis=1)
    assert abs(to_grid(VOLUME, 4, 10, 9) - threes.transpose(1, 2, 0)).max() <= 0.501


def test_a_ramp_of_slices_stays_a_ramp():
    """Worked by hand: slice k holds 10 k at position k + 1/2 of 4."""
    ramp = np.repeat(np.arange(4, dtype=np.uint8) * 10, 64).reshape(4, 8, 8)
    # 4 -> 8: centres at -1/4, 1/4, 3/4, ... slices, ends repeated.
    assert to_grid(ramp, 8, 8, 8)[0, 0].tolist() == [0, 2, 8, 12, 18, 22, 28, 30]
    # 4 -> 3: each covers 4/3 slices: (0 + 10/3), (20/3 + 40/3) * ..., by overlap.
    expected = [(0 + 10 / 3) * 0.75, (10 * 2 / 3 + 20 * 2 / 3) * 0.75, (20 / 3 + 30) * 0.75]
    assert to_grid(ramp, 3, 8, 8)[0, 0].tolist() == np.rint(expected).tolist()
    # 1 -> 4: repeated.
    assert to_grid(ramp[1:2], 4, 8, 8)[0, 0].tolist() == [10] * 4


def test_shrinking_in_the_plane_is_antialiased():
    stripes = np.zeros((2, 16, 16), np.uint8)
    stripes[:, ::2] = 200
    grid = to_grid(stripes, 2, 4, 4)
    assert abs(grid.astype(int) - 100).max() <= 15  # Without it some rows would be 0 or 200.


def test_growing_in_the_plane_is_bilinear():
    ramp = np.tile(np.arange(4, dtype=np.uint8) * 40, (1, 4, 1))
    assert to_grid(ramp, 1, 4, 8)[0, :, 0].tolist() == [0, 10, 30, 50, 70, 90, 110, 120]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, (0, 255)), (0.0, 255.0, (0, 255)), (0.0, 200.0, (0, 200)), (0.0, 0.5, (0, 128)),
     (-3.0, 5.0, (0, 255)), (0.0, 60000.0, (0, 255))],
)  # fmt: skip
def test_floats_are_scaled_to_bytes(low, high, expected):
    volume = np.linspace(low, high, 4 * 8 * 8, dtype=np.float32).reshape(4, 8, 8)
    grid = to_grid(volume, 4, 8, 8)
    assert (grid.min(), grid.max()) == expected


def test_constant_float_volume_does_not_divide_by_zero():
    assert np.unique(to_grid(np.full((2, 8, 8), 1000, np.float32), 2, 8, 8)).size == 1


@pytest.mark.parametrize(
    "volume", [np.zeros((8, 8)), np.zeros((0, 8, 8)), np.full((2, 8, 8), np.nan, np.float32)]
)
def test_grid_refuses(volume):
    with pytest.raises(ValueError, match="axes|NaN"):
        to_grid(volume, 2, 8, 8)
    with pytest.raises(ValueError, match="positive"):
        to_grid(VOLUME, 0, 8, 8)


def test_the_cube_is_the_grid_in_the_volumes_own_order():
    cube = to_cube(VOLUME, 6, 8, 5)
    assert cube.shape == (6, 8, 5) and cube.dtype == np.uint8
    assert (cube.transpose(1, 2, 0) == to_grid(VOLUME, 6, 8, 5)).all()


# --- B-scans -------------------------------------------------------------------------


def test_b_scans_are_not_mixed_with_their_neighbours():
    scans = to_scans(VOLUME, 10, 9)
    assert scans.dtype == np.uint8
    assert (scans == VOLUME).all()
    one = np.zeros((3, 10, 9), np.uint8)
    one[1] = 200
    assert to_scans(one, 4, 4).max(axis=(1, 2)).tolist() == [0, 200, 0]


def test_b_scans_are_stretched_by_the_range_of_the_whole_volume():
    volume = np.arange(4, dtype=np.float32)[:, None, None] * np.full((8, 8), 1000, np.float32)
    assert to_scans(volume, 8, 8)[:, 0, 0].tolist() == [0, 85, 170, 255]


@pytest.mark.parametrize(
    ("limit", "centres", "kept"),
    [
        (None, range(12), range(12)),
        (12, range(12), range(12)),
        (99, range(12), range(12)),
        (4, [1, 4, 7, 10], range(12)),
        (2, [3, 9], [2, 3, 4, 8, 9, 10]),
        (1, [6], [5, 6, 7]),
    ],
)
def test_evenly_spaced_b_scans_are_kept_with_their_neighbours(limit, centres, kept):
    assert centre_scans(12, limit) == list(centres)
    assert (to_scans(VOLUME, 10, 9, limit) == VOLUME[list(kept)]).all()


def test_b_scans_refuse():
    with pytest.raises(ValueError, match="axes"):
        to_scans(np.zeros((8, 8)), 8, 8)
    with pytest.raises(ValueError, match="NaN"):
        to_scans(np.full((2, 8, 8), np.nan, np.float32), 8, 8)
    with pytest.raises(ValueError, match="positive"):
        to_scans(VOLUME, 0, 8)


def test_a_tiff_negative_is_turned_over(tmp_path):
    path = tmp_path / "negative.tif"
    tifffile.imwrite(path, 255 - VOLUME, photometric="miniswhite")
    assert (read_volume(path) == VOLUME).all()
    tifffile.imwrite(path, (VOLUME / 255).astype(np.float32), photometric="miniswhite")
    with pytest.raises(BadFile, match="negative"):
        read_volume(path)


def test_a_palette_tiff_is_refused(tmp_path):
    path = tmp_path / "palette.tif"
    colours = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))[:, ::-1]
    tifffile.imwrite(path, VOLUME, photometric="palette", colormap=colours)
    with pytest.raises(BadFile, match="palette"):
        read_volume(path)


@pytest.mark.parametrize(
    ("photometry", "slope", "negative"),
    [("MONOCHROME2", 1, False), ("MONOCHROME1", 1, True), ("MONOCHROME2", -1, True),
     ("MONOCHROME1", -1, False)],
)  # fmt: skip
def test_what_makes_a_dicom_a_negative(tmp_path, photometry, slope, negative):
    path = write_dicom(
        tmp_path, PhotometricInterpretation=photometry, RescaleSlope=slope, RescaleIntercept=0
    )
    expected = VOLUME.max() - VOLUME if negative else VOLUME
    assert (read_volume(path) == expected).all()


def test_a_coloured_picture_among_b_scans_is_refused(tmp_path):
    folder = tmp_path / "oct"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(VOLUME[number]).save(folder / f"{number}.png")
    colours = np.zeros((10, 9, 3), np.uint8)
    colours[..., 0] = 200
    Image.fromarray(colours).save(folder / "3.png")
    with pytest.raises(BadFile, match="coloured picture among B-scans"):
        read_volume(folder)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ("unit", (0.0, 255.0)),  # 0..1 with a thousandth of the voxels beyond
        ("log", None),
        ("decibel", None),
        ("grey", (0.0, 1.0)),  # 0..255 with a few beyond
        ("twelve bits", None),
    ],
)
def test_the_range_of_floats_is_robust(numbers, expected):
    base = np.random.default_rng(0).uniform(0, 1, (10, 40, 40)).astype(np.float32)
    top = {"unit": 1.0, "log": 5.5, "decibel": 40.0, "grey": 255.0, "twelve bits": 4095.0}[numbers]
    volume = base * top
    volume[0, 0, :3] = {"unit": 1.002, "grey": 300.0}.get(numbers, top)
    low, scale = byte_range(volume)
    if expected is not None:
        assert (float(low), float(scale)) == expected
    else:
        assert float(low) < 0.01 * top and float(scale) == pytest.approx(255 / top, rel=0.01)
    grey = to_cube(volume, *volume.shape)
    assert 120 < grey.mean() < 135 and len(np.unique(grey)) > 200


# --- DICOM: where frames lie ---------------------------------------------------------


def items(**elements):
    """A sequence of one item."""
    import pydicom

    item = pydicom.Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return pydicom.Sequence([item])


def frame_group(**sequences):
    return items(**sequences)[0]


SHUFFLED = np.random.default_rng(1).permutation(12)  # frame i of the file is slice SHUFFLED[i]


def at_plane(place):
    position = items(ImagePositionPatient=[1.5, 0.25 * place, -0.1 * place])
    return frame_group(PlanePositionSequence=position)


def on_fundus(place):
    ends = [10.0 + 8 * place, 5.0, 10.0 + 8 * place, 700.0]
    return frame_group(OphthalmicFrameLocationSequence=items(ReferenceCoordinates=ends))


def in_stack(place):
    return frame_group(FrameContentSequence=items(InStackPositionNumber=int(place) + 1))


@pytest.mark.parametrize("group", [at_plane, on_fundus, in_stack])
def test_dicom_frames_come_in_the_order_in_which_they_lie(tmp_path, group):
    # The direction is the file's own: mostly rising or mostly falling.
    places = SHUFFLED if np.corrcoef(SHUFFLED, np.arange(12))[0, 1] > 0 else SHUFFLED[::-1]
    groups = [group(place) for place in places]
    path = write_dicom(tmp_path, VOLUME[places], PerFrameFunctionalGroupsSequence=groups)
    np.testing.assert_array_equal(read_volume(path), VOLUME)


def test_falling_frames_and_frames_without_places_stay_as_they_are(tmp_path):
    falling = [at_plane(place) for place in range(11, -1, -1)]
    path = write_dicom(tmp_path, PerFrameFunctionalGroupsSequence=falling)
    np.testing.assert_array_equal(read_volume(path), VOLUME)
    one_place = [at_plane(3) for _ in range(12)]  # a repeated B-scan
    path = write_dicom(tmp_path, PerFrameFunctionalGroupsSequence=one_place)
    np.testing.assert_array_equal(read_volume(path), VOLUME)


def write_dicom_slices(folder, order, **fields):
    """A folder of one file a B-scan; file k holds slice order[k]."""
    slices = folder / "slices"
    slices.mkdir()
    for number, k in enumerate(order):
        told = {name: value(k) for name, value in fields.items()}
        write_dicom(folder, VOLUME[k : k + 1], **told).rename(slices / f"IM{number:04d}")
    (slices / "Thumbs.db").write_bytes(b"x")
    return slices


@pytest.mark.parametrize(
    "fields",
    [
        {"ImagePositionPatient": lambda k: [0.0, 0.0, 0.3 * float(k)]},
        {"InstanceNumber": lambda k: int(k) + 1},
    ],
    ids=["position", "number"],
)
def test_a_folder_of_dicom_slices_is_a_volume(tmp_path, fields):
    order = [1, 0, *range(2, 12)]
    slices = write_dicom_slices(tmp_path, order, **fields)
    np.testing.assert_array_equal(read_volume(slices), VOLUME)


def test_dicom_slices_of_two_volumes_are_no_volume(tmp_path):
    slices = write_dicom_slices(tmp_path, range(12), SeriesInstanceUID=lambda k: f"1.2.{1 + k % 2}")
    with pytest.raises(BadFile, match="DICOM files of 2 series: keep one volume in a folder"):
        read_volume(slices)
    (tmp_path / "more").mkdir()
    slices = write_dicom_slices(tmp_path / "more", range(2))
    write_dicom(tmp_path, VOLUME[:, :5]).rename(slices / "other.dcm")
    with pytest.raises(BadFile, match="one volume, one B-scan a file"):
        read_volume(slices)


@pytest.mark.parametrize("with_meta", [True, False])
def test_dicom_without_preamble_is_read(tmp_path, with_meta):
    path = write_dicom(tmp_path, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.5.4")
    content = path.read_bytes()
    start = 132
    if not with_meta:  # group 0002 is a length, and so many bytes
        start = 132 + 12 + int.from_bytes(content[140:144], "little")
    path.write_bytes(content[start:])
    np.testing.assert_array_equal(read_volume(path), VOLUME)


@pytest.fixture
def left_in_the_file(monkeypatch):
    """Pixels of a small volume are read from their file frame by frame, as those of a large one."""
    monkeypatch.setattr(dicom_volumes, "AT_ONCE", 16)


def test_dicom_pixels_are_the_same_wherever_they_are_read_from(tmp_path, left_in_the_file):
    np.testing.assert_array_equal(read_volume(write_dicom(tmp_path)), VOLUME)
    signed = VOLUME.astype(np.int16) - 100
    path = write_dicom(tmp_path, signed, PixelRepresentation=1)
    np.testing.assert_array_equal(read_volume(path), signed)
    groups = [at_plane(place) for place in range(11, -1, -1)]
    path = write_dicom(tmp_path, PerFrameFunctionalGroupsSequence=groups)
    np.testing.assert_array_equal(read_volume(path), VOLUME)


def test_deflated_dicom(tmp_path, left_in_the_file):
    import pydicom

    dataset = pydicom.dcmread(write_dicom(tmp_path))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "v.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_volume(tmp_path / "v.dcm"), VOLUME)


def test_dicom_cut_anywhere_is_refused_or_whole(tmp_path, left_in_the_file):
    path = write_dicom(tmp_path)
    content = path.read_bytes()
    for length in range(140, len(content), 37):
        path.write_bytes(content[:length])
        try:
            np.testing.assert_array_equal(read_volume(path), VOLUME)
        except BadFile:
            continue


def test_dicom_with_fewer_pixels_than_frames(tmp_path, left_in_the_file):
    # What follows the pixels in the file is not taken for pixels.
    path = write_dicom(tmp_path, NumberOfFrames=14, DataSetTrailingPadding=bytes(1000))
    with pytest.raises(BadFile, match="is truncated: 1080 of 1260 bytes of pixels are there"):
        read_volume(path)


def test_negative_dicom_slices_are_turned_by_the_whitest_of_all(tmp_path):
    slices = write_dicom_slices(
        tmp_path,
        range(12),
        InstanceNumber=lambda k: int(k) + 1,
        PhotometricInterpretation=lambda k: "MONOCHROME1",
    )
    np.testing.assert_array_equal(read_volume(slices), VOLUME.max() - VOLUME)


# --- what lies beside, is cut, or is a negative ----------------------------------------


def test_an_npz_is_its_array_whatever_a_system_put_beside(tmp_path):
    import zipfile

    path = write_npz(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._anything.npy", b"x")
        archive.writestr(".DS_Store", b"x")
    np.testing.assert_array_equal(read_volume(path), VOLUME)
    np.testing.assert_array_equal(read_volume(f"{path}#anything"), VOLUME)


def test_a_cut_npz_is_said_to_be_cut(tmp_path):
    path = write_npz(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    for name in (path, f"{path}#anything"):
        with pytest.raises(BadFile, match="is truncated or damaged: it begins as an .npz"):
            read_volume(name)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("single", [False, True])
def test_negative_pictures_of_b_scans_are_turned(tmp_path, dtype, single):
    volume = VOLUME.astype(dtype) * (1 if dtype == np.uint8 else 257)
    scans = tmp_path / "scans"
    scans.mkdir()
    for index, b_scan in enumerate(volume[:1] if single else volume):
        negative = np.iinfo(dtype).max - b_scan
        tifffile.imwrite(scans / f"{index}.tif", negative, photometric="miniswhite")
    read = read_volume(scans)
    np.testing.assert_array_equal(read, volume[:1] if single else volume)


def test_a_compressed_negative_of_sixteen_bits_is_turned(tmp_path):
    volume = VOLUME.astype(np.uint16) * 257
    pages = [Image.fromarray(65535 - b_scan) for b_scan in volume]
    pages[0].save(
        tmp_path / "v.tif",
        save_all=True,
        append_images=pages[1:],
        compression="tiff_lzw",
        tiffinfo={262: 0},
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "v.tif"), volume)
