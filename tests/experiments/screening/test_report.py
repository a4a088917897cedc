"""An evaluation of a small trained run, down to the page that it ends with."""

import dataclasses
import json
import pathlib
import re

import numpy as np
import pandas as pd
import pytest

from data_pipelines.load.screening_grid import ScreeningGrid
from data_pipelines.load.screening_stores import Images, ScreeningStore
from data_pipelines.manifest import ScreeningVolume
from experiments.screening.prediction import predict_volumes
from experiments.screening.run_eval import run_eval
from experiments.screening.trained_run import restore_screening

RUN = pathlib.Path(__file__).resolve().parents[2] / "run_folders" / "semt"
SIDE = 32


def volume(split, i):
    field = (None, None, None) if i == 3 else (90.0 - i, -2.0 - i, 2.0 + i)
    return ScreeningVolume(
        f"{split}{i}", f"{split}-p{i // 2}", ("OD", "OS")[i % 2], "1", split,
        pathlib.Path("none"), i // 2 % 2, *field,
    )  # fmt: skip


@pytest.fixture(scope="module")
def store():
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


@pytest.fixture(scope="module")
def evaluated(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("screened")
    rows = [{"id": i, "sex": "fm"[k % 2]} for k, i in enumerate(store.ids("test"))]
    pd.DataFrame(rows).to_csv(folder / "screening.csv", index=False)
    given = {"manifest": str(folder / "screening.csv"), "bootstrap": 20}
    run_eval(restore_screening(RUN, given), str(folder / "eval"), store)
    return (folder / "eval" / "report.html").read_text()


def cards(page):
    return json.loads(re.search(r'id="cards">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_holds_every_section(evaluated):
    for anchor in ("scores", "plots", "training", "volumes", "data", "run", "card"):
        assert f'<section id="{anchor}"' in evaluated, anchor
    assert "2D-ResNet-MT on 8 test volumes of 8 eye visits of 4 patients" in evaluated
    assert evaluated.count("<svg") == 6  # ROC, calibration, three indices, learning curves
    assert evaluated.count('class="matrix"') == 2  # at both levels
    for said in ("majority class", "case level: AUC", "sex: f", "no measurement of function"):
        assert said in evaluated, said


def test_every_volume_has_a_card_with_its_b_scans(evaluated, store):
    made = cards(evaluated)
    assert [card["id"] for card in made] == store.ids("test")
    assert all(len(card["steps"]) >= 5 for card in made)
    assert "vfi_error" not in made[3]["order"] and "vfi_error" in made[4]["order"]


def test_nothing_is_fetched(evaluated):
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", evaluated)


def test_maps_of_a_right_eye_shown_as_a_left_one_lie_on_the_image_again(store):
    run = restore_screening(RUN, {})
    plain = predict_volumes(run.variables, store, "test", run.config, keep_seen=True).seen
    assert plain[0].maps.shape[0] == len(plain[0].scans) == 6
    # Right eyes lie mirrored, and are turned for the network: it sees what it saw before.
    eyes = store.eyes("test")
    scans = [np.flip(store.scans("test", i), -1 if eye == "OD" else ()) for i, eye in enumerate(eyes)]
    images = {"scan": {"test": Images(scans, [range(6)] * len(scans))}}
    volumes = {"test": [volume("test", i) for i in range(len(scans))]}
    mirrored = ScreeningStore(store.grid, volumes, images, "threads")
    augment = dataclasses.replace(run.config.augment, right_as_left=True)
    config = dataclasses.replace(run.config, augment=augment)
    turned = predict_volumes(run.variables, mirrored, "test", config, keep_seen=True).seen
    for eye, before, after in zip(eyes, plain, turned, strict=True):
        expected = np.flip(before.maps, -1 if eye == "OD" else ())
        np.testing.assert_allclose(after.maps, expected, atol=1e-5)
