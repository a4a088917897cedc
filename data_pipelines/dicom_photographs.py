"""Ophthalmic photographs in DICOM files: their pixels, and how large a pixel is on the retina.

Nothing that names a person leaves this file: neither elements nor the texts of errors, which may
quote them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os

import numpy as np

from data_pipelines.bad_file import BadFile
from data_pipelines.dicom_files import CODECS, damaged, frames_of, read_dataset
from data_pipelines.picture_limits import check_size

# Photometric interpretations that are read, all of 8 bits; others need a table or are negatives.
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT")
GREY = "MONOCHROME2"

# Elements that tell the distance of pixels in mm, and where it is measured. Only the first is of the
# retina in an ophthalmic photograph (PS3.3, C.8.17.2).
SPACINGS = {
    "PixelSpacing": "",
    "ImagerPixelSpacing": "on the camera's sensor",
    "NominalScannedPixelSpacing": "on the film that was scanned",
}
# A 45 degree field of some 13 mm has 300 to 8000 pixels; microscopes and typing errors lie beyond.
LEAST_MM, MOST_MM = 0.0005, 0.2
SQUARE_TO = 0.01  # rows and columns may differ by this share


@dataclasses.dataclass(frozen=True)
class PixelSpacing:
    """How large a pixel is.

    Attributes:
      mm: its side on the retina; None where that is not known.
      doubts: what is odd about it, in whole sentences.
    """

    mm: float | None = None
    doubts: tuple[str, ...] = ()


def read_photograph(path: os.PathLike | str) -> np.ndarray:
    """Reads an ophthalmic photograph.

    Args:
      path: a DICOM file of one frame of 8 bits, colour or grey; native or compressed by anything
        that Pillow decodes.

    Returns:
      uint8 (height, width, 3), RGB; grey is repeated.

    Raises:
      BadFile (a ValueError): no photograph, absurd size, truncated, or pixels in another form.
    """
    from pydicom.pixels import pixel_array

    height, width = photograph_size(path)
    dataset = read_dataset(path)
    try:
        pixels = pixel_array(dataset)  # YCbCr becomes RGB
    except (RuntimeError, NotImplementedError) as error:
        name = dataset.file_meta.TransferSyntaxUID.name
        raise BadFile(
            path,
            f"holds pixels compressed as {name!r} that cannot be decoded here; {CODECS}, or export "
            "the photograph as JPEG",
        ) from error
    except Exception as error:  # damaged files raise many types
        raise damaged(path, error) from error
    pixels = pixels.reshape(height, width, -1)
    return np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))


def photograph_size(path: os.PathLike | str) -> tuple[int, int]:
    """(height, width) of a photograph, judged as far as its header tells. Raises BadFile."""
    header = read_dataset(path, pixels=False)
    wanted = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated")
    if missing := [name for name in wanted if name not in header]:
        raise BadFile(path, f"is a DICOM file without a picture ({', '.join(missing)} missing)")
    frames = frames_of(header)
    if frames != 1:
        raise BadFile(path, f"holds {frames} frames, an OCT volume or a film; a photograph has one")
    colours, samples = str(header.PhotometricInterpretation), int(header.SamplesPerPixel)
    if (colours, samples) != (GREY, 1) and not (colours in COLOURS and samples == 3):
        raise BadFile(path, f"holds {colours} pixels; read are {', '.join((*COLOURS, GREY))}")
    if header.BitsAllocated != 8:
        raise BadFile(path, f"holds {header.BitsAllocated} bits a sample; export it with 8 bits")
    check_size(int(header.Columns), int(header.Rows), path)
    return int(header.Rows), int(header.Columns)


def pixel_spacing(path: os.PathLike | str) -> PixelSpacing:
    """How large the pixels of a DICOM photograph are, as its header says. Raises BadFile.

    Read are PixelSpacing, which is of the retina; else ImagerPixelSpacing and
    NominalScannedPixelSpacing, which are not unless the camera was calibrated so, and are doubted.
    """
    header = read_dataset(path, pixels=False)
    for name, where in SPACINGS.items():
        if name not in header:
            continue
        try:
            row, column = map(float, header[name].value)
        except (TypeError, ValueError):
            row = column = math.nan
        if fault := _fault(row, column):
            return PixelSpacing(doubts=(f"the photograph's {name} {fault}: no millimetres are given",))
        if where:
            doubt = f"the photograph's {name} is the distance {where}: millimetres are doubtful"
            return PixelSpacing((row + column) / 2, (doubt,))
        return PixelSpacing((row + column) / 2)
    return PixelSpacing()


def side(path: os.PathLike | str) -> str | None:
    """ "OD" or "OS", the eye that a DICOM photograph shows; None where it does not say one.

    Raises BadFile.
    """
    header = read_dataset(path, pixels=False)
    told = header.get("ImageLaterality") or header.get("Laterality")
    return {"R": "OD", "L": "OS"}.get(told)


def person_key(path: os.PathLike | str) -> str | None:
    """What photographs of one person have in common, by the patient's id in a DICOM header; else None.

    A hash, to be compared and not to be kept: the id itself is nowhere written. Raises BadFile.
    """
    header = read_dataset(path, pixels=False)
    told = [str(header.get(name) or "").strip() for name in ("PatientID", "IssuerOfPatientID")]
    return hashlib.sha256("\0".join(told).encode()).hexdigest() if told[0] else None


def _fault(row: float, column: float) -> str:
    if not LEAST_MM <= min(row, column) <= max(row, column) <= MOST_MM:
        return f"is not {LEAST_MM:g} to {MOST_MM:g} mm"
    if abs(row - column) > SQUARE_TO * max(row, column):
        return f"is not square ({row:g} x {column:g} mm)"
    return ""
