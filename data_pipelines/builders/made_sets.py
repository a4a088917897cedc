"""Large sets of noise that no check doubts: OCT volumes, or eyes with all that an eye can have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.images import BACKGROUND, CUP, RIM
from data_pipelines.manifest import Eye, ScreeningVolume, write_manifest, write_screening_manifest

WHITE = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}  # dtype -> number of white
SUFFIXES = (".npy", ".tif", ".dcm")
SPLITS = ("train", "train", "val", "test")
GRADES = 3


def make_volume(
    path: Path, shape: tuple[int, int, int], seed: int, dtype: str = "uint8"
) -> None:
    """Writes a volume, in the form of the suffix: bright layers at a depth of its own, and noise."""
    slices, depth, width = shape
    rng = np.random.default_rng(seed)
    layers = 90 * np.exp(-(((np.arange(depth) / depth - rng.uniform(0.4, 0.6)) / 0.08) ** 2))
    volume = np.empty(shape, dtype)
    for b_scan in volume:
        grey = layers[:, None] + rng.integers(0, 120, (depth, width), np.uint8)
        b_scan[...] = grey * (WHITE[dtype] / 255)
    _WRITE[path.suffix](path, volume)


def _write_tiff(path: Path, volume: np.ndarray) -> None:
    import tifffile

    tifffile.imwrite(path, volume, photometric="minisblack")


def _write_dicom(path: Path, volume: np.ndarray) -> None:
    """Whole numbers alone, not compressed."""
    import pydicom

    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = pydicom.uid.OphthalmicTomographyImageStorage
    dataset.SOPInstanceUID = pydicom.uid.generate_uid()
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = volume.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * volume.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.PixelData = volume.tobytes()
    dataset.save_as(path, enforce_file_format=True)


_WRITE = {".npy": np.save, ".tif": _write_tiff, ".dcm": _write_dicom}


def write_volumes(folder: Path, count: int, changed: bool = False, suffix: str = ".npy") -> Path:
    """The manifest of the volumes v0, v1, ...; `changed`: the first has the other class."""
    rows = []
    for i in range(count):
        glaucoma = (i // 4 + (changed and i == 0)) % 2
        file = (folder / f"v{i}{suffix}").absolute()
        names = (f"v{i}", f"p{i}", "OD", "1", SPLITS[i % 4], file)
        rows.append(ScreeningVolume(*names, glaucoma, md=-1.0 - 5 * glaucoma))
    write_screening_manifest(folder / "screening.csv", rows)
    return folder / "screening.csv"


def make_eye(folder: Path, side: int, shape: tuple[int, int, int], number: int) -> None:
    """Writes eye `number`: photograph, mask of ids and volume; disc and cup are where it has them."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:side, :side] / side - 0.5  # of the field, whose centre is 0
    top, left, disc = rng.uniform(-0.1, 0.1), rng.uniform(-0.15, 0.15), rng.uniform(0.08, 0.11)
    away = np.hypot(rows - top, columns - left)
    cup = disc * rng.uniform(0.3, 0.8)
    ids = np.full((side, side), BACKGROUND, np.uint8)
    ids[away < disc], ids[away < cup] = RIM, CUP
    bright = np.array([110, 170, 220])[ids] + rng.normal(0, 6, (side, side))
    colours = bright[..., None] * np.array([1, 0.6, 0.3]) * (np.hypot(rows, columns) < 0.48)[..., None]
    photograph = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    photograph.save(folder / f"e{number}.jpg", quality=90)
    Image.fromarray(ids).save(folder / f"e{number}.png")
    make_volume(folder / f"e{number}.npy", shape, number)


def write_eyes(folder: Path, count: int, changed: bool = False) -> Path:
    """The manifest of the eyes e0, e1, ...; `changed`: the first has another grade."""
    eyes = []
    for i in range(count):
        files = [(folder / f"e{i}{end}").absolute() for end in (".jpg", ".npy", ".png")]
        grade = (i // 4 + (changed and i == 0)) % GRADES
        eyes.append(Eye(f"e{i}", f"p{i}", SPLITS[i % 4], *files, grade))
    write_manifest(folder / "manifest.csv", eyes)
    return folder / "manifest.csv"
