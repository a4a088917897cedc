"""OCT volumes in multi-frame TIFF, read frame by frame."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from data_pipelines.bad_file import BadFile
from data_pipelines.colours import luminance
from data_pipelines.volume_limits import check_dtype, check_shape
from data_pipelines.volume_memory import gathered
from data_pipelines.whole_files import check_tiff_is_whole

if TYPE_CHECKING:
    import tifffile

# What matters of a damaged file is raised; what is logged beside it names offsets.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def read_tiff(path: Path, order: Sequence[int]) -> np.ndarray:
    """(slices, depth, width) of a file, in its own order; lies in memory as volume_memory.room says.

    Raises:
      BadFile: truncated, frames of different sizes, several volumes, a palette, or a negative of
        other than whole numbers.
    """
    import tifffile

    check_tiff_is_whole(path)
    with tifffile.TiffFile(path) as tiff:
        first = tiff.series[0]
        # An RGB axis is last: (slices, depth, width, 3).
        colours = first.ndim in (3, 4) and first.axes.endswith("S")
        shape = first.shape[:-1] if colours else first.shape
        if len(shape) == 2:  # Frames written one by one are a series each.
            if any(s.shape != first.shape or s.dtype != first.dtype for s in tiff.series):
                raise BadFile(path, "holds frames of different sizes or types")
            shape = (len(tiff.series), *shape)
        elif len(tiff.series) > 1:
            raise BadFile(path, f"holds {len(tiff.series)} volumes; save one a file")
        check_shape(shape, path)
        check_dtype(first.dtype, path)
        photometric = tiff.pages[0].photometric
        if photometric == tifffile.PHOTOMETRIC.PALETTE:
            raise BadFile(
                path, "is a palette picture: its numbers name colours, not grey; save it as grey"
            )
        negative = photometric == tifffile.PHOTOMETRIC.MINISWHITE
        stored = (*shape[1:], *first.shape[-1:]) if colours else shape[1:]
        try:
            slices = _slices(tiff.series, stored)
            grey = (_grey(b_scan, path, colours, negative) for b_scan in slices)
            return gathered(grey, shape, first.dtype, path, order)
        except (ValueError, ImportError) as error:
            if "imagecodecs" not in str(error):
                raise
    frames = _frames_by_pillow(path, negative)  # It decodes what tifffile alone cannot.
    one = next(frames)
    return gathered(itertools.chain([one], frames), shape, one.dtype, path, order)


def _slices(series: Sequence[tifffile.TiffPageSeries], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The slices of all series, one after the other, each of a shape."""
    numbers = math.prod(shape)
    for one in series:
        if one.dataoffset is None:
            for page in one:
                yield from page.asarray().reshape(-1, *shape)
            continue
        # In one piece; of some programs' files the first page alone is told.
        dtype = one.parent.byteorder + one.dtype.char
        for number in range(one.size // numbers):
            at = one.dataoffset + number * numbers * one.dtype.itemsize
            yield one.parent.filehandle.read_array(dtype, numbers, at).reshape(shape)


def _grey(b_scan: np.ndarray, path: Path, colours: bool, negative: bool) -> np.ndarray:
    """(depth, width), of colours the luminance, of a negative the positive."""
    grey = luminance(b_scan) if colours else b_scan
    return _positive(grey, path) if negative else grey


def _positive(grey: np.ndarray, path: Path) -> np.ndarray:
    """Grey values of a negative (0 is white) turned over. Raises BadFile for other than whole ones."""
    if grey.dtype.kind != "u":
        raise BadFile(path, f"is a negative (0 is white) of {grey.dtype}; save it as a positive")
    return np.iinfo(grey.dtype).max - grey


def _frames_by_pillow(path: Path, negative: bool) -> Iterator[np.ndarray]:
    """(depth, width) of each frame, uint8, uint16 or float32; negatives are turned over."""
    with Image.open(path, formats=("TIFF",)) as image:
        for index in range(image.n_frames):
            image.seek(index)
            if image.mode.startswith("I;16") or image.mode == "F":
                grey = np.array(image)  # Pillow turns negatives of 8 bits over, and leaves these.
                yield _positive(grey, path) if negative else grey
            else:
                yield np.array(image.convert("L"))
