"""A small faultless data set on disk, for tests to break."""

import csv
import io
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from data_pipelines.manifest import check_manifest, check_screening_manifest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # public_trees

SIZE = 64


def draw_photograph(seed: int, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """A reddish disc with noise on black, different for every seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    radius = 0.48 * min(height, width)
    field = (y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2
    colours = np.array([180, 90, 50]) + rng.integers(-20, 20, (height, width, 3))
    return np.where(field[..., None], colours, 0).astype(np.uint8)


def draw_ids(height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """A disc with rim (1) and cup (2) around the middle."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(y - height / 2, x - width / 2) / min(height, width)
    return np.where(radius < 0.07, 2, np.where(radius < 0.14, 1, 0)).astype(np.uint8)


def draw_volume(seed: int, shape: tuple[int, ...] = (4, 16, 16)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class DataSet:
    """Rows of cells and the files that they name."""

    COLUMNS = ("id", "patient", "split", "fundus", "oct", "mask", "grade")

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.path = folder / "manifest.csv"
        self.rows: list[dict[str, str]] = []

    def add_eye(self, split: str, grade: int) -> None:
        index = len(self.rows) + 1
        name = f"e{index}"
        Image.fromarray(draw_photograph(index)).save(self.folder / f"{name}.png")
        Image.fromarray(draw_ids()).save(self.folder / f"{name}_mask.png")
        np.save(self.folder / f"{name}.npy", draw_volume(index))
        self.rows.append(
            {
                "id": name,
                "patient": f"p{index}",
                "split": split,
                "fundus": f"{name}.png",
                "oct": f"{name}.npy",
                "mask": f"{name}_mask.png",
                "grade": str(grade),
            }
        )

    def text(self) -> str:
        return self.text_with()

    def text_with(self, *more: str) -> str:
        """The table with further columns."""
        out = io.StringIO()
        writer = csv.DictWriter(out, (*self.COLUMNS, *more), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return out.getvalue()

    def write(self, text: str | bytes | None = None) -> pathlib.Path:
        content = self.text() if text is None else text
        self.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.path

    def check(self, **options):
        return check_manifest(self.path, **options)

    def save_mask(self, name: str, array: np.ndarray, **options) -> None:
        Image.fromarray(array).save(self.folder / name, **options)


class ScreeningSet(DataSet):
    COLUMNS = ("id", "patient", "eye", "visit", "split", "oct", "glaucoma", "vfi", "md", "psd")

    def add_volume(self, split: str, glaucoma: int, field=("90", "-3.5", "4.25")) -> None:
        index = len(self.rows) + 1
        np.save(self.folder / f"v{index}.npy", draw_volume(index))
        values = (f"v{index}", f"p{index}", "OD", "1", split, f"v{index}.npy", str(glaucoma))
        self.rows.append(dict(zip(self.COLUMNS, (*values, *field), strict=True)))

    def check(self, **options):
        return check_screening_manifest(self.path, **options)


@pytest.fixture
def data_set(tmp_path: pathlib.Path) -> DataSet:
    """Five eyes of five patients: three in train (grades 0, 1, 2), one in val, one in test."""
    folder = tmp_path / "data"
    folder.mkdir()
    data = DataSet(folder)
    for split, grade in (("train", 0), ("train", 1), ("train", 2), ("val", 0), ("test", 2)):
        data.add_eye(split, grade)
    return data


@pytest.fixture
def screening_set(tmp_path: pathlib.Path) -> ScreeningSet:
    """Six volumes of six patients, two of them without a visual field."""
    folder = tmp_path / "screening"
    folder.mkdir()
    data = ScreeningSet(folder)
    for split, glaucoma in (("train", 0), ("train", 1), ("val", 0), ("test", 1)):
        data.add_volume(split, glaucoma)
    for glaucoma in (0, 1):
        data.add_volume("train", glaucoma, field=("", "", ""))
    return data
