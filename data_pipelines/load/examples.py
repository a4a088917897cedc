"""An eye at working resolution: its files read, framed and put on one grid."""

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines import framing, images, volumes
from data_pipelines.images import IGNORE
from data_pipelines.manifest import Eye
from data_pipelines.manifest.mask_codes import read_mask
from data_pipelines.squares import Square, frame_of_square

# Eyes are read in several threads, and Pillow's registering of file formats on first use takes no
# lock.
Image.init()

# Fields of framing.Frame, in the order in which a record keeps them.
FRAME_FIELDS = tuple(field.name for field in dataclasses.fields(framing.Frame))


@dataclasses.dataclass(frozen=True)
class WorkingGrid:
    """The sizes that all eyes of a run are brought to.

    image_size: side of the square fundus image and mask in pixels.
    oct_shape: (depth, width, slices) of the OCT volume, or None for a run without OCT.
    crop_to_field: cut the black border around the photograph's field of view.
    """

    image_size: int
    oct_shape: tuple[int, int, int] | None
    crop_to_field: bool = True

    def __post_init__(self) -> None:
        sizes = (self.image_size, *(self.oct_shape or ()))
        if min(sizes) < 1 or len(sizes) not in (1, 4):
            raise ValueError(
                f"image_size={self.image_size}, oct_shape={self.oct_shape}: sizes must be "
                "positive, and oct_shape is (depth, width, slices)"
            )


def read_record(eye: Eye, grid: WorkingGrid, square: Square | None = None) -> dict[str, Any]:
    """Reads an eye's files and brings them to the grid.

    Args:
      eye: its files and labels.
      grid: the sizes.
      square: of the photograph that is seen; None = as `framing.find_frame` finds it.

    Returns a dict:
      id, patient: str.
      fundus: uint8 (S, S, 3), RGB.
      oct: uint8 (depth, width, slices); zeros where the eye has none; no key without `oct_shape`.
      mask: uint8 (S, S) ids {0, 1, 2, 255}; all 255 where the eye has none.
      grade: int, 0 = normal; 0 where the eye has none.
      glaucoma: int 0 or 1; 0 where the manifest does not say.
      has_oct, has_mask, has_grade, has_glaucoma: bool; what of the above is real.
      frame: int32 (7,), the framing.Frame that maps the native image to the working square.
      native_mask: bytes, the mask at its own size as PNG; empty where the eye has none.

    Raises the readers' errors, which name the file.
    """
    photograph = images.read_fundus(eye.fundus)
    if square is None:
        frame = framing.find_frame(photograph, grid.image_size, grid.crop_to_field)
    else:
        frame = frame_of_square(square, photograph.shape[:2], grid.image_size)
    record = {
        "id": eye.id,
        "patient": eye.patient,
        "fundus": framing.frame_image(photograph, frame),
        "grade": 0 if eye.grade is None else eye.grade,
        "has_oct": eye.oct is not None and grid.oct_shape is not None,
        "has_mask": eye.mask is not None,
        "has_grade": eye.grade is not None,
        "glaucoma": eye.glaucoma or 0,
        "has_glaucoma": eye.glaucoma is not None,
        "frame": np.array([getattr(frame, name) for name in FRAME_FIELDS], np.int32),
    }
    if eye.mask is None:
        record["mask"] = np.full((grid.image_size, grid.image_size), IGNORE, np.uint8)
        record["native_mask"] = b""
    else:
        mask = read_mask(eye.mask, eye.mask_codes)
        record["mask"] = framing.frame_mask(mask, frame)
        record["native_mask"] = encode_mask(mask)
    if grid.oct_shape is not None:
        record["oct"] = _read_oct(eye, grid.oct_shape)
    return record


def _read_oct(eye: Eye, shape: tuple[int, int, int]) -> np.ndarray:
    if eye.oct is None:
        return np.zeros(shape, np.uint8)
    depth, width, slices = shape
    return volumes.to_grid(volumes.read_volume(eye.oct, eye.oct_form), slices, depth, width)


def frame_of(record: Mapping[str, Any]) -> framing.Frame:
    """The Frame kept in a record."""
    return framing.Frame(**dict(zip(FRAME_FIELDS, record["frame"].tolist(), strict=True)))


def encode_mask(mask: np.ndarray) -> bytes:
    """uint8 (H, W) ids -> PNG."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return buffer.getvalue()


def decode_mask(png: bytes) -> np.ndarray | None:
    """PNG -> uint8 (H, W) ids; None for no bytes at all."""
    return np.array(Image.open(io.BytesIO(png))) if png else None
