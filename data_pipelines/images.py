"""Read fundus photographs and label masks into plain uint8 arrays.

The header of a picture is read and judged before its pixels are decoded, so that a
small file that claims an absurd size costs nothing.
"""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from data_pipelines import dicom_photographs, npy
from data_pipelines.bad_file import BadFile, describe
from data_pipelines.dicom_files import is_dicom_file
from data_pipelines.dicom_photographs import PixelSpacing
from data_pipelines.picture_limits import MAX_PIXELS, check_size
from data_pipelines.whole_files import check_png_is_whole

# What a pixel of a mask means. 255 counts neither in a loss nor in a metric.
BACKGROUND, RIM, CUP, IGNORE = 0, 1, 2, 255
MASK_IDS = (BACKGROUND, RIM, CUP, IGNORE)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
PHOTOGRAPH_SUFFIXES = (*IMAGE_SUFFIXES, ".dcm")

# Masks may be arrays, too.
LABEL_SUFFIXES = (*IMAGE_SUFFIXES, ".npy")

# More different values than a mask of ids or codes has.
MANY_VALUES = 8

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP")  # Pillow opens MPO, some cameras' form, as JPEG.
# open_image refuses large pictures with a message of its own.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_EXIF_ORIENTATION = 0x0112
_DAMAGED_EXIF = (OSError, ValueError, SyntaxError, LookupError, TypeError, struct.error)


def open_image(path: os.PathLike | str) -> Image.Image:
    """Opens a picture lazily: the header is read, checked for its size, no pixel decoded.

    Raises BadFile where the file is missing, empty, not an ordinary file, not a
    JPEG/PNG/TIFF/BMP picture, or larger than picture_limits allow.
    """
    path = Path(path)
    if not path.exists():
        raise BadFile(path, "does not exist")
    if path.is_dir():
        raise BadFile(path, "is a folder, not a picture")
    if not path.is_file():
        raise BadFile(path, "is not an ordinary file")
    if path.stat().st_size == 0:
        raise BadFile(path, "is empty (0 bytes); copy it again")
    try:
        image = Image.open(path, formats=_FORMATS)
    except Image.UnidentifiedImageError:
        raise BadFile(path, _why_no_picture(path)) from None
    except Image.DecompressionBombError:
        raise BadFile(
            path, f"has an absurd size, more than {MAX_PIXELS} pixels; shrink it"
        ) from None
    except Exception as error:  # Pillow's plugins raise many types on damaged headers.
        raise BadFile(path, f"cannot be opened ({describe(error)})") from error
    try:
        _seek_largest(image)
        check_size(*image.size, path)
    except BadFile:
        image.close()
        raise
    except Exception as error:  # of a page
        image.close()
        raise BadFile(path, f"has a damaged page ({describe(error)}); copy it again") from error
    return image


# Other pictures -> the bytes that their files begin with, and from the fifth or the ninth on.
_OTHER_PICTURES = {
    "WebP": (b"RIFF", b"", b"WEBP"),
    "GIF": (b"GIF8", b"", b""),
    "HEIC": (b"", b"ftyp", b"hei"),
    "AVIF": (b"", b"ftyp", b"avif"),
    "JPEG 2000": (b"", b"jP  ", b""),
}


def _why_no_picture(path: Path) -> str:
    """What a file is that Pillow does not take for a picture."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head.startswith(npy.MAGIC):
        return "is a numpy array (.npy), not a picture; save it as an 8-bit PNG"
    if head[:4] in (b"II*\x00", b"MM\x00*"):
        return (
            "is a TIFF whose pixels are of a kind that no photograph has (floating point, or "
            "several bands?), or its header is damaged; save it as 8-bit RGB"
        )
    for name, marks in _OTHER_PICTURES.items():
        if all(head[4 * i :].startswith(mark) for i, mark in enumerate(marks)):
            return f"is a picture in {name}, which is not read; save it as PNG"
    return "is not a JPEG, PNG, TIFF or BMP picture, or its header is damaged"


def _seek_largest(image: Image.Image) -> None:
    """Turns to the largest page of a TIFF: others are thumbnails of it."""
    if image.format != "TIFF" or getattr(image, "n_frames", 1) == 1:
        return
    areas = []
    for page in range(image.n_frames):
        image.seek(page)
        areas.append(image.width * image.height)
    image.seek(areas.index(max(areas)))


def exif_orientation(path: os.PathLike | str) -> int:
    """The EXIF orientation of a picture, 1 (upright) where it has none. Raises BadFile."""
    if is_dicom(path):
        return 1
    with open_image(path) as image:
        try:
            return int(image.getexif().get(_EXIF_ORIENTATION, 1))
        except _DAMAGED_EXIF:  # It says nothing about the pixels.
            return 1


def image_size(path: os.PathLike | str) -> tuple[int, int]:
    """(height, width) of a photograph after its EXIF orientation, from the header alone."""
    if is_dicom(path):
        return dicom_photographs.photograph_size(path)
    with open_image(path) as image:
        width, height = image.size
        turned_when_opened = image.format == "TIFF"  # Pillow does so for TIFF alone.
    if exif_orientation(path) >= 5 and not turned_when_opened:  # 5..8 turn by a quarter.
        return width, height
    return height, width


def decode(image: Image.Image, path: os.PathLike | str) -> Image.Image:
    """Decodes an opened picture and turns it upright. Raises BadFile if it is truncated."""
    if image.format == "PNG":
        check_png_is_whole(Path(path))
    try:
        image.load()
    except Exception as error:
        raise BadFile(
            path, f"cannot be decoded, truncated or damaged ({describe(error)}); copy it again"
        ) from error
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGED_EXIF:
        return image


def read_fundus(path: os.PathLike | str) -> np.ndarray:
    """Reads a colour fundus photograph: a JPEG, PNG, TIFF, BMP or DICOM file.

    Grey pictures are repeated over the three channels, 16-bit values keep their high
    byte, palette and CMYK pictures are converted, transparent parts become black, and
    the EXIF orientation is applied.

    Returns:
      uint8 (height, width, 3), RGB, 0..255.

    Raises:
      BadFile (a ValueError): missing, empty, truncated, no picture, absurd size, or a
      picture that cannot be a photograph (black-and-white, floating point).
    """
    if is_dicom(path):
        return dicom_photographs.read_photograph(path)
    with open_image(path) as opened:
        return photograph_pixels(decode(opened, path), path)


def pixel_spacing(path: os.PathLike | str) -> PixelSpacing:
    """How large a photograph's pixels are on the retina; DICOM files alone can tell."""
    return dicom_photographs.pixel_spacing(path) if is_dicom(path) else PixelSpacing()


def side(path: os.PathLike | str) -> str | None:
    """ "OD" or "OS", the eye that a photograph shows; DICOM files alone can tell."""
    return dicom_photographs.side(path) if is_dicom(path) else None


def person_key(path: os.PathLike | str) -> str | None:
    """What photographs of one person have in common; DICOM files alone can tell, see there."""
    return dicom_photographs.person_key(path) if is_dicom(path) else None


def is_dicom(path: os.PathLike | str) -> bool:
    """Whether a photograph is a DICOM file. One that is named as a picture is not opened."""
    return Path(path).suffix.lower() not in IMAGE_SUFFIXES and is_dicom_file(path)


def photograph_pixels(image: Image.Image, path: os.PathLike | str) -> np.ndarray:
    """uint8 (height, width, 3) RGB of an upright picture, converted as `read_fundus` says.

    Args:
      image: decoded.
      path: its file, or a name for it, for the message.

    Raises:
      BadFile: a picture that cannot be a photograph.
    """
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("1", "I", "F"):
        raise BadFile(
            path,
            f"has pixels of Pillow mode {image.mode!r} (black-and-white, 32-bit or "
            "floating point), not those of a photograph; save it as 8-bit RGB",
        )
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        colours = image.convert("RGBA")
        black = Image.new("RGBA", colours.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, colours)
    return np.array(image.convert("RGB"))


def read_label_values(path: os.PathLike | str) -> np.ndarray:
    """Reads the label values of a mask as they are stored, whatever they mean.

    Grey pictures (8 or 16 bit) give their grey values; RGB pictures whose three channels
    agree give that value; palette pictures give their grey levels where the palette is
    grey, and their indices where it is coloured (the convention of annotation tools). A `.npy`
    file holds an array (height, width) of whole numbers, or of truth values.

    Returns:
      uint8 (height, width).

    Raises:
      BadFile: as open_image, and where no single value can be read from a pixel: colours,
      transparency, black-and-white, JPEG (lossy), values above 255.
    """
    if Path(path).suffix.lower() == ".npy" and Path(path).is_file():
        return _array_values(Path(path))
    with open_image(path) as opened:
        if opened.format in ("JPEG", "MPO"):
            raise BadFile(path, "is a JPEG: lossy compression mixes labels; save masks as PNG")
        image = decode(opened, path)
        if image.mode == "1":
            raise BadFile(
                path,
                "is black-and-white (1 bit): it cannot tell rim from cup; "
                "save ids 0, 1, 2 as an 8-bit grey PNG",
            )
        if image.mode == "P":
            return _palette_values(image)
        values = np.asarray(image)
        if image.mode in ("LA", "RGBA"):
            if (values[..., -1] != 255).any():
                raise BadFile(path, "has transparent pixels; save ids as an 8-bit grey PNG")
            values = values[..., :-1]
        elif image.mode not in ("L", "RGB", "I") and not image.mode.startswith("I;16"):
            raise BadFile(
                path, f"has pixels of Pillow mode {image.mode!r}; save ids as an 8-bit grey PNG"
            )
        if values.ndim == 3:
            if (values != values[..., :1]).any():
                raise BadFile(
                    path, "is a coloured picture, not a mask of ids; save ids as an 8-bit grey PNG"
                )
            values = values[..., 0]
        return _as_bytes(values, path)


def _as_bytes(values: np.ndarray, path: os.PathLike | str) -> np.ndarray:
    if values.size and (values.max() > 255 or values.min() < 0):
        raise BadFile(path, f"holds the values {_some(values)}; ids are 0, 1, 2 and 255")
    return values.astype(np.uint8)


def _array_values(path: Path) -> np.ndarray:
    """uint8 (height, width) of a `.npy` file."""
    try:
        with open(path, "rb") as file:
            shape, dtype, fortran_order = npy.read_header(file)
            if dtype.kind not in "uib" or len(shape) != 2 or 0 in shape:
                raise BadFile(
                    path,
                    f"holds {dtype} of shape {shape}; a mask is an array (height, width) of whole "
                    "numbers",
                )
            check_size(shape[1], shape[0], path)
            return _as_bytes(npy.read_data(file, shape, dtype, fortran_order), path)
    except BadFile:
        raise
    except Exception as error:  # damaged headers raise many types
        raise BadFile(path, f"cannot be read as an array ({describe(error)})") from error


def _palette_values(image: Image.Image) -> np.ndarray:
    """uint8 (height, width): grey levels of a grey palette, indices of a coloured one."""
    indices = np.asarray(image)
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    used = np.unique(indices)
    used = used[used < len(palette)]
    if (palette[used] == palette[used][:, :1]).all():
        levels = np.zeros(256, np.uint8)
        levels[: len(palette)] = palette[:, 0]
        return levels[indices]
    return indices.astype(np.uint8)


def read_mask(path: os.PathLike | str) -> np.ndarray:
    """Reads a mask of ids: 0 background, 1 rim, 2 cup, 255 ignore.

    Returns:
      uint8 (height, width) with values of MASK_IDS only.

    Raises:
      BadFile (a ValueError): as read_label_values, or other values than ids; the message
      names the values found and the maker that converts them.
    """
    values = read_label_values(path)
    found = np.unique(values)
    if np.isin(found, MASK_IDS).all():
        return values
    raise BadFile(path, f"holds the values {_some(found)}, not ids; {_codes_hint(values)}")


def _codes_hint(values: np.ndarray) -> str:
    """What to do about a mask that holds other values than ids."""
    ids = "ids are 0 background, 1 rim, 2 cup, 255 ignore"
    numbers, counts = np.unique(values, return_counts=True)
    found = set(numbers.tolist())
    frequent = numbers[counts > 0.01 * values.size]
    if len(found) > MANY_VALUES and len(frequent) <= MANY_VALUES:
        return (
            f"{ids}. Most pixels are near {_some(frequent)}, and the others lie at the edges: the "
            "mask was a JPEG or was resized smoothly, which mixes labels. Go back to the original; "
            "when masks are resized, take the nearest pixel"
        )
    if found <= {0, 128, 255}:
        return (
            f"{ids}. These look like the GAMMA and REFUGE codes (255 background, 128 rim, 0 cup): "
            "convert with `python -m data_pipelines.manifest --layout=gamma` (official folders) "
            "or `--layout=folder --mask_codes=gamma`, or say `gamma` in a column mask_codes"
        )
    return (
        f"{ids}. Convert with `python -m data_pipelines.manifest --layout=folder "
        "--mask_codes=bg:VALUE,rim:VALUE,cup:VALUE`, or say so in a column mask_codes"
    )


def _some(values: np.ndarray, limit: int = 8) -> str:
    """The distinct values of an array, shortened: '0, 128, 255' or '0, 1, 7, ... (40 values)'."""
    distinct = [int(v) for v in np.unique(values)]
    text = ", ".join(str(v) for v in distinct[:limit])
    return text if len(distinct) <= limit else f"{text}, ... ({len(distinct)} different values)"
