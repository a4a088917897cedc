"""Small eyes on disk, shared by the tests of loading and of the builders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipelines.manifest import (
    Eye,
    ScreeningVolume,
    read_manifest,
    read_screening_manifest,
    write_manifest,
    write_screening_manifest,
)

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


def write_volume(folder: Path, number: int, split: str) -> ScreeningVolume:
    """Volume `number` of 3 + number % 3 B-scans: B-scan k has the grey levels 10 x number + k,
    but for its leftmost quarter, which is black.

    Every other volume is of glaucoma, every third has no visual field, every fifth lacks its MD.
    """
    pixels = np.zeros((3 + number % 3, 16, 12), np.uint8)
    pixels[:, :, 3:] = (10 * number + np.arange(len(pixels)))[:, None, None]
    np.save(folder / f"v{number}.npy", pixels)
    has_field, has_md = number % 3 != 2, number % 5 != 4
    return ScreeningVolume(
        id=f"v{number}",
        patient=f"patient{number // 2}",
        eye="OD" if number % 2 == 0 else "OS",
        visit="1",
        split=split,
        oct=folder / f"v{number}.npy",
        glaucoma=number % 2,
        vfi=90.0 - number if has_field else None,
        md=-0.5 * number if has_field and has_md else None,
        psd=1.0 + number if has_field else None,
    )


@pytest.fixture
def make_screening(tmp_path):
    """make_screening(train=7, val=4, folder="oct") writes so many volumes, and their manifest."""

    def make(folder: str = "oct", **numbers: int):
        root = tmp_path / folder
        root.mkdir()
        volumes, number = [], 0
        for split, count in numbers.items():
            number += number % 2  # A patient's two eyes are in one split.
            volumes += [write_volume(root, number + i, split) for i in range(count)]
            number += count
        write_screening_manifest(root / "screening.csv", volumes)
        return read_screening_manifest(root / "screening.csv")

    return make
