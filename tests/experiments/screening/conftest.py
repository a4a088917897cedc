"""A small screening run that was trained, volumes in memory, and its evaluation."""

import pathlib

import numpy as np
import pandas as pd
import pytest

from data_pipelines.load.screening_grid import ScreeningGrid
from data_pipelines.load.screening_stores import Images, ScreeningStore
from data_pipelines.manifest import ScreeningVolume
from experiments.saved_run import restore_screening
from experiments.screening.config import ScreeningConfig
from experiments.screening.run_eval import run_eval

RUN = pathlib.Path(__file__).resolve().parents[2] / "run_folders" / "semt"
SIDE = 32


def volume(split, i):
    field = (None, None, None) if i == 3 else (90.0 - i, -2.0 - i, 2.0 + i)
    return ScreeningVolume(
        f"{split}{i}", f"{split}-p{i // 2}", ("OD", "OS")[i % 2], "1", split,
        pathlib.Path("none"), i // 2 % 2, *field, source="here" if i < 4 else "there",
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_store():
    """Noise, brighter for glaucoma: four volumes a split, eight to test, six B-scans each."""
    rng = np.random.default_rng(0)
    numbers = {"train": 4, "val": 4, "test": 8}
    volumes = {split: [volume(split, i) for i in range(n)] for split, n in numbers.items()}
    images = {
        split: Images(
            [rng.integers(0, 100 + 100 * v.glaucoma, (6, SIDE, SIDE), np.uint8) for v in rows],
            [range(6)] * len(rows),
        )
        for split, rows in volumes.items()
    }
    return ScreeningStore(ScreeningGrid(SIDE), volumes, {"scan": images}, "threads")


@pytest.fixture(scope="session")
def evaluated(small_store, tmp_path_factory):
    """The folder of an evaluation, which ends with report.html."""
    folder = tmp_path_factory.mktemp("screened")
    rows = [{"id": i, "sex": "fm"[k % 2]} for k, i in enumerate(small_store.ids("test"))]
    pd.DataFrame(rows).to_csv(folder / "screening.csv", index=False)
    given = {"manifest": str(folder / "screening.csv"), "bootstrap": 20}
    run_eval(restore_screening(RUN, given, "best", ScreeningConfig), str(folder / "eval"), small_store)
    return folder / "eval"


@pytest.fixture(scope="session")
def small_run():
    return restore_screening(RUN, {}, "best", ScreeningConfig)
