"""The labelled photographs of a manifest as arrays in memory, read with csv and Pillow alone.

Columns of manifest.csv that are used (UTF-8, one row an eye; the others are left alone):
  id       name of the eye
  patient  name of the patient; intervals are drawn by patient
  split    train, val, test, or empty (the eye is not used)
  fundus   photograph: JPEG, PNG or TIFF
  mask     picture of ids 0 background, 1 rim, 2 cup, 255 ignore; empty = no mask
Paths are relative to the manifest's folder, else to data_root: the argument, or what the file
manifest.json beside manifest.csv records. `python -m data_pipelines.manifest --check=FILE` tells
everything that is wrong with a manifest; here the first bad file ends the reading.
"""

import csv
import dataclasses
import json
import os
import pathlib

import numpy as np
from PIL import Image, ImageOps

from imo_jax.labels import CLASS_NAMES, IGNORE

IDS = (*range(len(CLASS_NAMES)), IGNORE)
COLUMNS = ("id", "patient", "split", "fundus", "mask")


@dataclasses.dataclass(frozen=True)
class LabelledEyes:
    """N eyes: `ids`, `patients`; `photographs` (N, S, S, 3) and `masks` (N, S, S) uint8, the whole
    picture squeezed into a square; `native_photographs` and `native_masks`, N arrays (H, W, 3) and
    (H, W) uint8 as they are stored, upright."""

    ids: list[str]
    patients: list[str]
    photographs: np.ndarray
    masks: np.ndarray
    native_photographs: list[np.ndarray]
    native_masks: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


def read_labelled_eyes(
    manifest: os.PathLike | str,
    split: str,
    size: int,
    data_root: os.PathLike | str | None = None,
) -> LabelledEyes:
    """Reads the eyes of one split that have a mask with at least one labelled pixel.

    Args:
      manifest: path of manifest.csv.
      split: train, val or test.
      size: side S of the square that pictures are resized to; antialiased for photographs,
        nearest for masks.
      data_root: where files are that are not under the manifest's folder.

    Raises:
      ValueError: a column is missing, a file cannot be found or read, or a mask holds other
      values than ids, or is said to; names the file.
    """
    path = pathlib.Path(manifest)
    roots = _roots(path, data_root)
    ids, patients, photographs, masks, native_photographs, native_masks = [], [], [], [], [], []
    for row in _rows(path):
        if row["split"].strip() != split or not row["mask"].strip():
            continue
        if (row.get("mask_codes") or "").strip():
            raise ValueError(f"{path}: masks of other values (mask_codes) are not read here")
        native = _read_mask(_find(row["mask"], roots))
        if (native == IGNORE).all():
            continue
        photograph = _read_photograph(_find(row["fundus"], roots))
        square = photograph.resize((size, size), Image.Resampling.BILINEAR)
        small = Image.fromarray(native).resize((size, size), Image.Resampling.NEAREST)
        ids.append(row["id"].strip())
        patients.append(row["patient"].strip() or row["id"].strip())
        photographs.append(np.asarray(square))
        masks.append(np.asarray(small))
        native_photographs.append(np.asarray(photograph))
        native_masks.append(native)
    return LabelledEyes(
        ids=ids,
        patients=patients,
        photographs=np.array(photographs, np.uint8).reshape(-1, size, size, 3),
        masks=np.array(masks, np.uint8).reshape(-1, size, size),
        native_photographs=native_photographs,
        native_masks=native_masks,
    )


def _rows(manifest: pathlib.Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{manifest}: no column {', '.join(missing)}")
        return list(reader)


def _roots(manifest: pathlib.Path, data_root: os.PathLike | str | None) -> list[pathlib.Path]:
    """The manifest's folder, then data_root where there is one."""
    folder = manifest.resolve().parent
    record = manifest.with_suffix(".json")
    if data_root is None and record.is_file():
        recorded = json.loads(record.read_text("utf-8")).get("data_root")
        data_root = None if recorded is None else folder / recorded
    return [folder] if data_root is None else [folder, pathlib.Path(data_root)]


def _find(cell: str, roots: list[pathlib.Path]) -> pathlib.Path:
    for root in roots:
        if (root / cell.strip()).is_file():
            return root / cell.strip()
    raise ValueError(f"{cell}: no such file under {' nor under '.join(map(str, roots))}")


def _read_photograph(path: pathlib.Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error


def _read_mask(path: pathlib.Path) -> np.ndarray:
    """(H, W) uint8 ids. A palette picture holds its ids as indices."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            values = np.asarray(upright if upright.mode == "P" else upright.convert("L"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    found = np.unique(values)
    if not np.isin(found, IDS).all():
        raise ValueError(f"{path}: ids are {IDS}, but the mask holds {found[:8].tolist()}")
    return values
