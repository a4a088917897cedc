"""OCT volumes in DICOM: one file of many frames, or a folder of files of one frame each.

Frames come in the order in which they lie in the eye, which need not be that of the file. Nothing
but pixels and geometry is read: names and dates of people stay in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.bad_file import BadFile, describe
from data_pipelines.colours import is_coloured, luminance
from data_pipelines.dicom_files import CODECS, frames_of, read_dataset
from data_pipelines.volume_limits import check_shape


def read_dicom(path: Path) -> np.ndarray:
    """(slices, depth, width) of a file, frames in spatial order; numbers as pydicom gives them.

    Raises:
      BadFile: no pixels, colours, or pixels that cannot be decoded here.
    """
    dataset = _dataset(path)
    volume = _pixels(dataset, path)
    return volume[spatial_order(frame_places(dataset, len(volume)))]


def read_dicom_slices(paths: Sequence[Path]) -> np.ndarray:
    """As read_dicom, of files with one B-scan each, in any order.

    Raises:
      BadFile: as read_dicom, and B-scans of different sizes, types or series.
    """
    datasets = [_dataset(path) for path in paths]
    series = {str(dataset.get("SeriesInstanceUID", "")) for dataset in datasets}
    if len(series) > 1:
        raise BadFile(
            paths[0].parent,
            f"holds DICOM files of {len(series)} series: keep one volume in a folder",
        )
    scans = [_pixels(*pair) for pair in zip(datasets, paths, strict=True)]
    for path, scan in zip(paths, scans, strict=True):
        if scan.shape != (1, *scans[0].shape[1:]) or scan.dtype != scans[0].dtype:
            raise BadFile(
                path,
                f"holds {scan.dtype} of shape {scan.shape}, but {paths[0].name} of the same folder "
                f"{scans[0].dtype} of shape {scans[0].shape}: a folder of DICOM files is one "
                "volume, one B-scan a file",
            )
    places = np.array([_place_of_file(dataset) for dataset in datasets], np.float64)
    return np.concatenate(scans)[spatial_order(places)]


def frame_places(dataset: Any, frames: int) -> np.ndarray:
    """(frames, 3) float64: where each frame of a file lies, in whatever unit; NaN = not said.

    The position of the plane (mm) where it is given, else the middle of the frame's line on the
    fundus picture (pixels), else its number in the stack.
    """
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if len(groups) != frames:
        return np.full((frames, 3), np.nan)
    for place in (_plane_position, _line_on_fundus, _number_in_stack):
        places = np.array([place(group) for group in groups], np.float64)
        if np.isfinite(places).all() and len(np.unique(places, axis=0)) == frames:
            return places
    return np.full((frames, 3), np.nan)


def spatial_order(places: np.ndarray) -> np.ndarray:
    """(n,) indices that sort n places (n, 3) along the direction in which they vary most.

    The direction is that in which they are stored; places that are not known stay as they are.
    """
    if len(places) < 2 or not np.isfinite(places).all():
        return np.arange(len(places))
    centred = places - places.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    if np.dot(along, np.arange(len(along)) - (len(along) - 1) / 2) < 0:
        along = -along
    return np.argsort(along, kind="stable")


def _dataset(path: Path) -> Any:
    dataset = read_dataset(path)
    if "PixelData" not in dataset:
        raise BadFile(path, "is a DICOM file without pixel data")
    return dataset


def _pixels(dataset: Any, path: Path) -> np.ndarray:
    """(frames, depth, width) as stored, negatives turned over."""
    shape = (frames_of(dataset), int(dataset.Rows), int(dataset.Columns))
    check_shape(shape, path)
    try:
        volume = dataset.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        raise BadFile(
            path,
            f"holds compressed DICOM pixels that cannot be decoded here ({describe(error)}); "
            f"{CODECS}, or convert the file to .npy",
        ) from error
    if int(dataset.get("SamplesPerPixel", 1)) == 3:
        if is_coloured(volume):
            raise BadFile(path, "holds coloured pictures, no OCT volume; a B-scan is grey")
        volume = luminance(volume)
    volume = volume.reshape(shape)
    # Stored as a negative: by its photometry, or by a slope that falls; or by both, which is none.
    negative = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    if negative != (float(dataset.get("RescaleSlope", 1) or 1) < 0):
        volume = volume.max() - volume
    return volume


UNKNOWN = (np.nan, np.nan, np.nan)


def _three(values: Any) -> tuple[float, float, float]:
    """Three numbers, or NaN."""
    try:
        x, y, z = (float(value) for value in values)
    except (TypeError, ValueError):
        return UNKNOWN
    return x, y, z


def _first(group: Any, sequence: str, element: str) -> Any:
    """An element of the first item of a sequence; None where it is not there."""
    items = group.get(sequence)
    return items[0].get(element) if items else None


def _plane_position(group: Any) -> tuple[float, float, float]:
    return _three(_first(group, "PlanePositionSequence", "ImagePositionPatient"))


def _line_on_fundus(group: Any) -> tuple[float, float, float]:
    ends = _first(group, "OphthalmicFrameLocationSequence", "ReferenceCoordinates")
    if ends is None or len(ends) != 4:
        return UNKNOWN
    return _three([(ends[0] + ends[2]) / 2, (ends[1] + ends[3]) / 2, 0])


def _number_in_stack(group: Any) -> tuple[float, float, float]:
    return _three([_first(group, "FrameContentSequence", "InStackPositionNumber"), 0, 0])


def _place_of_file(dataset: Any) -> tuple[float, float, float]:
    position = _three(dataset.get("ImagePositionPatient"))
    return position if np.isfinite(position).all() else _three([dataset.get("InstanceNumber"), 0, 0])
