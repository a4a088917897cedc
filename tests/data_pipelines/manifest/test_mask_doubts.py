"""Masks that can be read and are probably not what they should be."""

import numpy as np
import pytest
from PIL import Image

from data_pipelines.images import CUP, RIM
from data_pipelines.manifest.files import check_eye_files

SIDE = 96


def disc(top, left, radius):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(rows - top, columns - left) <= radius


def mask(*parts):
    """Ids of parts (where, id), later over earlier ones."""
    ids = np.zeros((SIDE, SIDE), np.uint8)
    for where, value in parts:
        ids[where] = value
    return ids


SOUND = mask((disc(40, 40, 12), RIM), (disc(40, 40, 6), CUP))
TWO = mask((disc(40, 30, 10), RIM), (disc(40, 30, 5), CUP), (disc(40, 70, 10), RIM))
ISLANDS = SOUND.copy()
ISLANDS[80, [10, 20]] = RIM


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (SOUND, None),
        (mask((disc(40, 40, 12), RIM)), "has a rim (1) and no cup (2)"),
        (mask((disc(40, 40, 12), CUP)), "has a cup (2) as large as the disc"),
        (TWO, "marks disc in 2 separate places"),
        (ISLANDS, "marks disc in 3 separate places"),
        (np.where(SOUND, 3 - SOUND, 0).astype(np.uint8), "are the two ids swapped?"),
    ],
    ids=["sound", "disc only", "cup equal to disc", "two discs", "islands", "swapped"],
)
def test_what_no_eye_looks_like_is_doubted(tmp_path, ids, said):
    Image.fromarray(ids).save(tmp_path / "m.png")
    problems = check_eye_files(2, None, None, tmp_path / "m.png")
    if said is None:
        assert problems == []
    else:
        assert [(p.severity, said in p.reason) for p in problems] == [("warning", True)]
