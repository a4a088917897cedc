"""DICOM files: what is one, and its elements. Errors and warnings never quote what a file holds."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipelines.bad_file import BadFile

if TYPE_CHECKING:
    import pydicom

# What matters of a damaged file is raised; what is logged beside it may quote a name.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

MAGIC = b"DICM"  # after a preamble of 128 bytes
HEAD = 132  # bytes that tell
# What to do where pixels are compressed as pydicom and Pillow alone cannot decode.
CODECS = "pip install 'imo_jax[codecs]' (pylibjpeg and its plugins)"

# First tags of a file that was written without preamble: of the groups 0002 and 0008, in the two
# encodings that are stored so.
BARE = tuple(bytes([group, 0]) for group in (0x02, 0x08))


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with these 132 bytes or more is DICOM, with preamble or without."""
    if head[128:132] == MAGIC:
        return True
    # tag (group, element), then a value representation of two capitals, or a length below 2^16
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return head[:2] in BARE and len(head) >= 8 and (explicit or head[6:8] == b"\x00\x00")


def is_dicom_file(path: os.PathLike | str) -> bool:
    """Whether a file begins as DICOM files do; False where there is none."""
    try:
        with open(path, "rb") as file:
            return is_dicom(file.read(HEAD))
    except OSError:
        return False


def read_dataset(
    path: os.PathLike | str, *, pixels: bool = True, at_once: int | None = None
) -> pydicom.Dataset:
    """The elements of a DICOM file, with its pixels or without.

    Args:
      path: of the file.
      pixels: whether they are among the elements.
      at_once: elements of more bytes stay in the file until they are asked for; None = all are read.

    Raises:
      BadFile: it is damaged.
    """
    import pydicom
    from pydicom import config

    # A value that breaks a rule would be quoted in a warning; it may be a name.
    config.settings.reading_validation_mode = config.IGNORE
    try:
        dataset = pydicom.dcmread(
            Path(path), stop_before_pixels=not pixels, force=True, defer_size=at_once
        )
    except Exception as error:  # damaged files raise many types
        raise damaged(path, error) from error
    if "TransferSyntaxUID" not in dataset.file_meta:  # of a file without preamble
        dataset.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian
            if dataset.is_implicit_VR
            else pydicom.uid.ExplicitVRLittleEndian
        )
    return dataset


def frames_of(dataset: pydicom.Dataset) -> int:
    """Number of frames; files of a single one need not say it."""
    return int(dataset.get("NumberOfFrames", 1) or 1)


def damaged(path: os.PathLike | str, error: Exception) -> BadFile:
    """What to say of a damaged file: of the error its type alone, its text may quote a name."""
    return BadFile(path, f"cannot be read as DICOM, truncated or damaged ({type(error).__name__}); "
                         "copy it again")  # fmt: skip
