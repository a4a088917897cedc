"""Photographs and masks in every form that people store them in."""

import numpy as np
import pytest
from PIL import Image

from data_pipelines import images
from data_pipelines.bad_file import BadFile

RED = np.zeros((6, 8, 3), np.uint8)
RED[:3, :4] = [200, 100, 50]  # The upper left quarter, so that any turn is seen.

IDS = np.array([[0, 1, 2, 255], [2, 2, 0, 0]], np.uint8)


def save(path, array, **options):
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_lossless_photographs_are_read_as_stored(tmp_path, suffix):
    image = images.read_fundus(save(tmp_path / f"a{suffix}", RED))
    assert image.dtype == np.uint8
    assert (image == RED).all()
    image[0, 0] = 0  # Writable.


def test_jpeg(tmp_path):
    image = images.read_fundus(save(tmp_path / "a.jpg", np.full((16, 16, 3), 90, np.uint8)))
    assert image.shape == (16, 16, 3)
    assert abs(image.astype(int) - 90).max() <= 2


def test_error_is_a_value_error_with_path_and_reason(tmp_path):
    with pytest.raises(ValueError, match="does not exist") as raised:
        images.read_fundus(tmp_path / "gone.png")
    assert isinstance(raised.value, BadFile)
    assert raised.value.path == str(tmp_path / "gone.png")
    assert raised.value.reason == "does not exist"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (Image.fromarray(RED[..., 0]), RED[..., [0, 0, 0]]),
        (Image.fromarray(RED[..., 0].astype(np.uint16) * 257), RED[..., [0, 0, 0]]),
        (Image.fromarray(RED).convert("P"), None),
        (Image.fromarray(RED).convert("RGBA"), RED),
        (Image.fromarray(RED[..., 0]).convert("LA"), RED[..., [0, 0, 0]]),
    ],
    ids=["grey", "grey of 16 bits", "palette", "opaque alpha", "grey with alpha"],
)
def test_other_modes(tmp_path, stored, expected):
    image = images.read_fundus(save(tmp_path / "a.png", stored))
    if expected is None:  # The web palette has levels 51 apart.
        assert image.shape == RED.shape
        assert abs(image.astype(int) - RED).max() <= 51
    else:
        assert (image == expected).all()


def test_transparent_becomes_black(tmp_path):
    rgba = np.dstack([RED + 40, np.where(RED[..., 0] > 0, 255, 0).astype(np.uint8)])
    image = images.read_fundus(save(tmp_path / "a.png", rgba))
    assert (image[:3, :4] == [240, 140, 90]).all()
    assert (image[3:] == 0).all()


def test_cmyk(tmp_path):
    path = save(tmp_path / "a.tif", Image.fromarray(RED).convert("CMYK"))
    assert abs(images.read_fundus(path).astype(int) - RED).max() <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(tmp_path, suffix, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = RED.repeat(8, 0).repeat(8, 1)
    path = save(tmp_path / f"a{suffix}", large, exif=exif)
    image = images.read_fundus(path)
    expected = np.rot90(large, turns)
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).mean() < 3
    assert images.image_size(path) == image.shape[:2]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_a_file_cut_anywhere_is_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    path = save(tmp_path / f"a{suffix}", noise)
    content = path.read_bytes()
    for length in (1, 9, 30, len(content) // 2, len(content) - 20, len(content) - 4):
        path.write_bytes(content[:length])
        with pytest.raises(BadFile):
            images.read_fundus(path)


def test_damaged_exif_does_not_matter(tmp_path):
    path = save(tmp_path / "a.jpg", RED, exif=b"Exif\x00\x00garbage!")
    assert images.read_fundus(path).shape == RED.shape
    assert images.exif_orientation(path) == 1


# --- masks ---------------------------------------------------------------------------


def coloured_palette(indices):
    image = Image.fromarray(indices, "P")
    palette = np.zeros((256, 3), np.uint8)
    palette[1], palette[2], palette[255] = [128, 0, 0], [0, 128, 0], [224, 224, 192]
    image.putpalette(palette.ravel().tolist())
    return image


def grey_palette(ids):
    """Ids as an optimiser packs them: indices in any order into a grey palette."""
    image = Image.fromarray(
        np.select([ids == v for v in (255, 2, 1)], [0, 1, 2], 3).astype("u1"), "P"
    )
    image.putpalette(np.repeat([255, 2, 1, 0], 3).tolist())
    return image


@pytest.mark.parametrize(
    "stored",
    [
        IDS,
        np.dstack([IDS] * 3),
        np.dstack([IDS] * 3 + [np.full_like(IDS, 255)]),
        np.dstack([IDS, np.full_like(IDS, 255)]),
        IDS.astype(np.uint16),
        coloured_palette(IDS),
        grey_palette(IDS),
    ],
    ids=["grey", "rgb", "rgba", "grey and alpha", "16 bits", "coloured palette", "grey palette"],
)
def test_masks_that_hold_ids(tmp_path, stored):
    mask = images.read_mask(save(tmp_path / "m.png", stored))
    assert mask.dtype == np.uint8
    assert (mask == IDS).all()


def test_wrong_values_are_named_with_the_maker_to_use(tmp_path):
    path = save(tmp_path / "m.png", np.array([[0, 128, 255]], np.uint8))
    with pytest.raises(ValueError, match=r"0, 128, 255.*--layout=gamma"):
        images.read_mask(path)
    assert images.read_label_values(path).tolist() == [[0, 128, 255]]
    path = save(tmp_path / "n.png", np.array([[0, 1, 77]], np.uint8))
    with pytest.raises(ValueError, match=r"0, 1, 77.*--mask_codes=bg:VALUE"):
        images.read_mask(path)


def test_of_a_tiff_of_several_pages_the_largest_is_the_photograph(tmp_path):
    path = tmp_path / "pages.tif"
    photograph = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    thumbnail = Image.fromarray(photograph).resize((8, 6))
    thumbnail.save(path, save_all=True, append_images=[Image.fromarray(photograph), thumbnail])
    assert (images.read_fundus(path) == photograph).all()
    assert images.image_size(path) == (60, 80)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_a_mask_may_be_an_array(tmp_path, dtype):
    np.save(tmp_path / "m.npy", IDS.astype(dtype))
    np.testing.assert_array_equal(images.read_mask(tmp_path / "m.npy"), IDS)
    np.save(tmp_path / "b.npy", IDS == 1)
    np.testing.assert_array_equal(images.read_mask(tmp_path / "b.npy"), IDS == 1)


@pytest.mark.parametrize(
    "array, reason",
    [
        (IDS.astype(np.float32), "holds float32 of shape"),
        (np.zeros((2, 3, 3), np.uint8), "a mask is an array .height, width. of whole numbers"),
        (np.full((2, 3), -1), "holds the values -1"),
        (np.array([[{"a": 1}]]), "holds object"),
    ],
)
def test_an_array_that_is_no_mask(tmp_path, array, reason):
    np.save(tmp_path / "m.npy", array, allow_pickle=True)
    with pytest.raises(BadFile, match=reason):
        images.read_mask(tmp_path / "m.npy")


def test_a_cut_array_is_refused(tmp_path):
    np.save(tmp_path / "m.npy", IDS)
    content = (tmp_path / "m.npy").read_bytes()
    for length in (3, 9, 40, len(content) - 1):
        (tmp_path / "m.npy").write_bytes(content[:length])
        with pytest.raises(BadFile):
            images.read_mask(tmp_path / "m.npy")


def test_a_photograph_that_is_an_array_is_named_for_what_it_is(tmp_path):
    np.save(tmp_path / "a.npy", RED)
    with pytest.raises(BadFile, match="is a numpy array .*save it as an 8-bit PNG"):
        images.read_fundus(tmp_path / "a.npy")


def test_a_floating_point_tiff_is_not_called_damaged_alone(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", RED.astype(np.float64), photometric="rgb")
    with pytest.raises(BadFile, match="floating point, or several bands"):
        images.read_fundus(tmp_path / "a.tif")


def test_a_mask_that_was_a_jpeg_once_is_told_so(tmp_path):
    rows, columns = np.mgrid[:96, :96]
    distance = np.hypot(rows - 48, columns - 48)
    codes = np.where(distance < 18, 0, np.where(distance < 36, 128, 255)).astype(np.uint8)
    lossy = Image.open(save(tmp_path / "a.jpg", codes, quality=80))
    with pytest.raises(BadFile, match="was a JPEG or was resized smoothly.*Go back to the orig"):
        images.read_mask(save(tmp_path / "a.png", lossy))
    smaller = Image.fromarray(codes).resize((70, 70), Image.Resampling.BILINEAR)
    with pytest.raises(BadFile, match="take the nearest pixel"):
        images.read_mask(save(tmp_path / "b.png", smaller))
