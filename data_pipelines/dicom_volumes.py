"""OCT volumes in DICOM: one file of many frames, or a folder of files of one frame each.

Frames come in the order in which they lie in the eye, which need not be that of the file. Nothing
but pixels and geometry is read: names and dates of people stay in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.bad_file import BadFile, describe
from data_pipelines.colours import GREY_ENOUGH, colourfulness, luminance
from data_pipelines.dicom_files import CODECS, frames_of, read_dataset
from data_pipelines.volume_limits import check_shape
from data_pipelines.volume_memory import AS_IN_FILE, room

# Elements of more bytes stay in the file until they are asked for; pixels are read frame by frame.
AT_ONCE = 2**20


def read_dicom(path: Path, order: Sequence[int] = AS_IN_FILE) -> np.ndarray:
    """(slices, depth, width) of a file, frames in spatial order; numbers as pydicom gives them.

    Args:
      path: of the file.
      order: in which the volume lies in memory, see volume_memory.room.

    Raises:
      BadFile: no pixels, colours, or pixels that cannot be decoded here.
    """
    dataset = _dataset(path)
    shape = (frames_of(dataset), *_plane(dataset))
    check_shape(shape, path)
    # where[i]: the slice that frame i of the file is
    where = np.argsort(spatial_order(frame_places(dataset, shape[0])))
    volume = None
    for number, frame in zip(where, _frames(dataset, path), strict=True):
        if volume is None:
            volume = room(shape, frame.dtype, order)
        volume[number] = frame
    if _is_negative(dataset):
        np.subtract(volume.max(), volume, out=volume)
    return volume


def read_dicom_slices(paths: Sequence[Path], order: Sequence[int] = AS_IN_FILE) -> np.ndarray:
    """As read_dicom, of files with one B-scan each, in any order.

    Raises:
      BadFile: as read_dicom, and B-scans of different sizes, types or series.
    """
    headers = [read_dataset(path, pixels=False) for path in paths]
    series = {str(header.get("SeriesInstanceUID", "")) for header in headers}
    if len(series) > 1:
        raise BadFile(
            paths[0].parent,
            f"holds DICOM files of {len(series)} series: keep one volume in a folder",
        )
    places = np.array([_place_of_file(header) for header in headers], np.float64)
    volume, negatives = None, []
    for number, path in zip(np.argsort(spatial_order(places)), paths, strict=True):
        dataset = _dataset(path)
        frames, form = frames_of(dataset), _form(dataset)
        if volume is None:
            first = form
            check_shape((len(paths), *_plane(dataset)), paths[0].parent)
        if frames != 1 or form != first:
            raise BadFile(
                path,
                f"holds {form}, but {paths[0].name} of the same folder {first}: a folder of DICOM "
                "files is one volume, one B-scan a file",
            )
        (b_scan,) = _frames(dataset, path)
        if volume is None:
            volume = room((len(paths), *b_scan.shape), b_scan.dtype, order)
        volume[number] = b_scan
        if _is_negative(dataset):
            negatives.append(number)
    white = volume.max()
    for number in negatives:
        volume[number] = white - volume[number]
    return volume


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
    dataset = read_dataset(path, at_once=AT_ONCE)
    if "PixelData" not in dataset:
        raise BadFile(path, "is a DICOM file without pixel data")
    return dataset


def _plane(dataset: Any) -> tuple[int, int]:
    """(depth, width) of a file's frames."""
    return int(dataset.Rows), int(dataset.Columns)


def _form(dataset: Any) -> str:
    """Number, size and type of a file's frames, in words."""
    depth, width = _plane(dataset)
    signed = "signed " if dataset.get("PixelRepresentation") else ""
    return (
        f"{frames_of(dataset)} frames of {depth} x {width} pixels (height x width) of "
        f"{dataset.BitsAllocated} {signed}bits"
    )


def _frames(dataset: Any, path: Path) -> Iterator[np.ndarray]:
    """(depth, width) of each frame in the order of the file, as stored; grey of grey in colours.

    Raises BadFile, at the end where the frames are coloured.
    """
    from pydicom.pixels import iter_pixels

    source, told = _source(dataset, path)
    colours = int(dataset.get("SamplesPerPixel", 1)) == 3
    differences = []
    try:
        for frame in iter_pixels(source, **told):
            if colours:
                differences.append(colourfulness(frame))
            yield luminance(frame) if colours else frame
    except (RuntimeError, NotImplementedError) as error:
        raise BadFile(
            path,
            f"holds compressed DICOM pixels that cannot be decoded here ({describe(error)}); "
            f"{CODECS}, or convert the file to .npy",
        ) from error
    if colours and np.mean(differences) > GREY_ENOUGH:
        raise BadFile(path, "holds coloured pictures, no OCT volume; a B-scan is grey")


def _source(dataset: Any, path: Path) -> tuple[Any, dict[str, Any]]:
    """What pydicom reads the frames from: the elements, or the file where its pixels were left."""
    pixels = dataset.get_item("PixelData", keep_deferred=True)
    if pixels.value is not None:
        return dataset, {}
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_transfer_syntax and syntax.is_deflated:
        return read_dataset(path), {}
    if syntax.is_transfer_syntax and not syntax.is_compressed:
        _require_all(dataset, pixels, path)
    return path, {"transfer_syntax_uid": syntax}


def _require_all(dataset: Any, pixels: Any, path: Path) -> None:
    """BadFile where the element of the pixels, or the file, ends before they do."""
    there = min(pixels.length, path.stat().st_size - pixels.value_tell)
    bits = math.prod((frames_of(dataset), *_plane(dataset), dataset.BitsAllocated))
    expected = bits * int(dataset.get("SamplesPerPixel", 1)) // 8
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        expected = expected // 3 * 2
    if there < expected:
        raise BadFile(path, f"is truncated: {there} of {expected} bytes of pixels are there; "
                            "copy it again")  # fmt: skip


def _is_negative(dataset: Any) -> bool:
    """Stored as a negative: by its photometry, or by a slope that falls; or by both, which is none."""
    falls = float(dataset.get("RescaleSlope", 1) or 1) < 0
    return (dataset.get("PhotometricInterpretation") == "MONOCHROME1") != falls


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
