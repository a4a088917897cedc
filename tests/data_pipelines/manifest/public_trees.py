"""Pieces of small trees in the layouts of public sets."""

import json

import numpy as np
import openpyxl
from PIL import Image

from data_pipelines.manifest.__main__ import main

SIZE = 64


def disc(radius, size=SIZE):
    y, x = np.mgrid[:size, :size]
    return np.hypot(y - size / 2, x - size / 2) <= radius


def photograph(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(60, 200, (SIZE, SIZE, 3), np.uint8)
    Image.fromarray(noise).save(path)


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


def sheet(path, rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def label_me(path, **radii):
    """A LabelMe file with a circle of a radius for each label."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    shapes = [
        {"label": label, "points": (SIZE / 2 + radius * circle).tolist()}
        for label, radius in radii.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"shapes": shapes}))


def make(layout, root, out, *options):
    return main([f"--layout={layout}", f"--root={root}", f"--out={out}", *options])


def expected_ids(outer, inner):
    return disc(outer).astype(int) + disc(inner)
