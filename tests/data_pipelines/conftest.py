"""Small eyes on disk, shared by the tests of loading and of the builders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipelines.manifest import Eye, read_manifest, write_manifest

NATIVE = 48  # side of the photographs in pixels


def write_eye(folder: Path, number: int, split: str) -> Eye:
    """Eye `number`: its grey level is 20 + 5 x number, so that it can be told from others.

    Every fourth eye lacks its OCT, every fifth its mask, every third its grade.
    """
    fundus, oct_, mask = (folder / f"{number}{end}" for end in (".png", ".npy", "_mask.png"))
    level = 20 + 5 * number
    Image.fromarray(np.full((NATIVE, NATIVE, 3), level, np.uint8)).save(fundus)
    has_oct, has_mask, has_grade = number % 4 != 3, number % 5 != 4, number % 3 != 2
    if has_oct:
        np.save(oct_, np.full((4, 10, 12), level, np.uint8))
    if has_mask:
        ids = np.zeros((NATIVE, NATIVE), np.uint8)
        ids[10:30, 12:30] = 1
        ids[16 : 18 + number % 6, 16:24] = 2
        Image.fromarray(ids).save(mask)
    return Eye(
        id=f"eye{number}",
        patient=f"patient{number // 2}",
        split=split,
        fundus=fundus,
        oct=oct_ if has_oct else None,
        mask=mask if has_mask else None,
        grade=number % 3 if has_grade else None,
    )


@pytest.fixture
def make_manifest(tmp_path):
    """make_manifest(train=5, val=3, folder="eyes") writes so many eyes and reads their manifest."""

    def make(folder: str = "eyes", **numbers: int):
        root = tmp_path / folder
        root.mkdir()
        names = [split for split, number in numbers.items() for _ in range(number)]
        # Eyes in pairs are one patient's: numbers of different splits start at even ones.
        eyes, number, last = [], 0, None
        for name in names:
            if name != last and number % 2:
                number += 1
            eyes.append(write_eye(root, number, name))
            number, last = number + 1, name
        write_manifest(root / "manifest.csv", eyes)
        return read_manifest(root / "manifest.csv")

    return make
