"""The eyes of a manifest as if each had been taken by a camera of its own, and outlined by a reader of their own.

    python -m benchmarks.cameras --manifest=data/phantom/manifest.csv --out=data/cameras

The phantom's photographs vary less than those of a hospital's archive, and its masks are exact. Here each photograph is
given its own focus, exposure, colour cast, haze, uneven light and noise, and each mask is moved as far as careful readers
differ: by 2 % of the disc's radius and 6 % of the cup's, in slow waves around it. Eyes with masks alone; the splits stay.
It ends with what the exact masks themselves reach against the moved ones on the test split: no network can be expected to
do better.
"""

import argparse
import csv
import pathlib
import sys

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.conditions import SCORES
from benchmarks.labelled_eyes import LabelledEyes, read_labelled_eyes
from imo_jax.labels import CUP, IGNORE, RIM
from imo_jax.metrics.imo_eye import score_eye
from imo_jax.metrics.imo_summary import imo_summary
from imo_jax.report.seed_means import cell, markdown

SPLITS = ("train", "val", "test")
BLACK = 12  # grey levels (of 255) up to which a pixel shows no fundus
DISC_SPREAD, CUP_SPREAD = 0.02, 0.06  # standard deviation of a reader's radius
WAVES = 4  # around a disc


def photographed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photograph (H, W, 3) uint8 by another camera; what is black stays so.

    Focus: a Gaussian of at most 0.4 % of the width. Exposure: a power of 0.6 to 1.7. Cast: each channel times a
    log-normal factor of 0.15. Haze: up to two fifths of a tinted grey. Light: a slope of up to half across the
    picture. Noise: 1.5 % of the range.
    """
    height, width, _ = picture.shape
    blur = ImageFilter.GaussianBlur(rng.uniform(0, 0.004) * width)
    x = np.asarray(Image.fromarray(picture).filter(blur), np.float32) / 255
    lit = x.max(axis=-1, keepdims=True) > BLACK / 255
    x = x ** np.exp(rng.uniform(np.log(0.6), np.log(1.7))) * np.exp(rng.normal(0, 0.15, 3))
    haze, tint = rng.uniform(0, 0.4), np.array([0.5, 0.4, 0.35]) * np.exp(rng.normal(0, 0.1, 3))
    x = (1 - haze) * x + haze * tint
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    down, across = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    x *= (1 + slope * (np.sin(angle) * down + np.cos(angle) * across))[..., None]
    x += rng.normal(0, 0.015, x.shape)
    return np.where(lit, np.clip(x, 0, 1) * 255, 0).round().astype(np.uint8)


def outlined(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mask (H, W) of ids as another reader would draw it; ignored pixels stay so."""
    ignored = mask == IGNORE
    disc = _moved(~ignored & (mask >= RIM), DISC_SPREAD, rng)
    cup = _moved(mask == CUP, CUP_SPREAD, rng) & disc
    ids = np.where(cup, CUP, np.where(disc, RIM, 0))
    return np.where(ignored, IGNORE, ids).astype(np.uint8)


def _moved(region: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    """A region whose radius about its middle is multiplied by 1 + slow waves of so large a standard deviation."""
    if not region.any():
        return region
    down, across = (axis.mean() for axis in np.nonzero(region))
    y, x = np.indices(region.shape)
    angle = np.arctan2(y - down, x - across)
    # The mean and WAVES harmonics, each of less weight than the one before; variances add up to 1.
    weights = np.array([1.0, *(1 / k for k in range(1, WAVES + 1))])
    weights /= np.linalg.norm(weights)
    mean, *amplitudes = weights * rng.normal(size=WAVES + 1)
    phases = rng.uniform(0, 2 * np.pi, WAVES)
    waves = sum(
        np.sqrt(2) * a * np.cos(k * angle + phase)
        for k, (a, phase) in enumerate(zip(amplitudes, phases, strict=True), 1)
    )
    factor = 1 + spread * (mean + waves)
    rows = np.clip(np.rint(down + (y - down) / factor), 0, len(region) - 1).astype(int)
    columns = np.clip(np.rint(across + (x - across) / factor), 0, region.shape[1] - 1).astype(int)
    return region[rows, columns]


def write(eyes: LabelledEyes, split: str, out: pathlib.Path, seed: int) -> list[np.ndarray]:
    """Writes a split's photographs and masks, adds its rows to manifest.csv, and returns the masks."""
    masks = []
    with (out / "manifest.csv").open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for i, name in enumerate(eyes.ids):
            rng = np.random.default_rng([seed, *name.encode()])
            picture = photographed(eyes.native_photographs[i], rng)
            masks.append(outlined(eyes.native_masks[i], rng))
            Image.fromarray(picture).save(out / "fundus" / f"{name}.png")
            Image.fromarray(masks[-1]).save(out / "masks" / f"{name}.png")
            files = (f"fundus/{name}.png", "", f"masks/{name}.png", "")
            writer.writerow([name, eyes.patients[i], split, *files])
    return masks


def of_exact_masks(eyes: LabelledEyes, moved: list[np.ndarray]) -> str:
    """What the eyes' own masks score against the moved ones, as a table."""
    records = [
        score_eye(name, patient, probabilities=_certain(exact), mask=mask)
        for name, patient, exact, mask in zip(
            eyes.ids, eyes.patients, eyes.native_masks, moved, strict=True
        )
    ]
    summary = imo_summary(records)
    return markdown(
        ["", *SCORES.values()], [["the exact masks", *(cell(summary[key]) for key in SCORES)]]
    )


def _certain(mask: np.ndarray) -> np.ndarray:
    """(H, W) ids as probabilities (H, W, 3); what is ignored as background."""
    return np.eye(3, dtype=np.float32)[np.where(mask == IGNORE, 0, mask)]


def main(arguments: list[str] | None = None) -> int:
    """Writes the data set and prints the table; returns 1 where something is wrong with the input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=pathlib.Path, required=True)
    parser.add_argument("--data_root", type=pathlib.Path, help="where files not beside it are")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to make")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        eyes = {
            split: read_labelled_eyes(options.manifest, split, 32, options.data_root)
            for split in SPLITS
        }
        if not len(eyes["test"]):
            raise ValueError(f"{options.manifest}: no eye with a mask in split test")
        if options.out.exists() and any(options.out.iterdir()):
            raise ValueError(f"{options.out} is not empty: choose another folder")
        for folder in ("fundus", "masks"):
            (options.out / folder).mkdir(parents=True, exist_ok=True)
        (options.out / "manifest.csv").write_text(
            "id,patient,split,fundus,oct,mask,grade\n", encoding="utf-8"
        )
        moved = {split: write(eyes[split], split, options.out, options.seed) for split in SPLITS}
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(of_exact_masks(eyes["test"], moved["test"]))
    print(f"\n{sum(map(len, eyes.values()))} eyes: {options.out / 'manifest.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
