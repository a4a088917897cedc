"""How many B-scans of a volume are predicted, and for what."""

import pathlib

import numpy as np
import pytest

from data_pipelines.load.screening_grid import ScreeningGrid
from data_pipelines.load.screening_stores import Images, ScreeningStore
from data_pipelines.manifest import ScreeningVolume
from experiments.screening.config import ScreeningConfig
from experiments.screening.prediction import predict_volumes
from experiments.screening.presets import PRESETS
from experiments.screening.run_train import validation_scores
from imo_jax.predictor import volume_batches
from imo_jax.predictor.run import volume_settings
from imo_jax.predictor.volume_batches import descriptors

LEVELS = (10, 20, 30, 40, 50, 60)  # of the six B-scans of each of two volumes


@pytest.fixture
def store():
    volumes = [
        ScreeningVolume(f"v{i}", f"p{i}", "OD", "1", "val", pathlib.Path("none"), i, None, None, None)
        for i in range(2)
    ]
    kept = Images([[np.full((32, 32), level, np.uint8) for level in LEVELS]] * 2, [range(6)] * 2)
    return ScreeningStore(ScreeningGrid(32), {"val": volumes}, {"scan": {"val": kept}}, "threads")


@pytest.fixture
def seen(monkeypatch):
    """The middle B-scans that the network was asked about."""
    levels: list[int] = []

    def predict_batch(variables, pixels, *, config):
        middle = np.asarray(pixels["scan"])[:, 0, 0, 1].astype(np.float32)
        levels.extend(middle[middle > 0].astype(int).tolist())
        return {"probability": middle / 255, "features": middle[:, None], "cam": middle}

    monkeypatch.setattr(volume_batches, "predict_batch", predict_batch)
    return levels


def config(**evaluation):
    whole = PRESETS["default"]()
    evaluation = {"eval_batch_size": 4} | evaluation
    return ScreeningConfig(
        model=whole.model, evaluation=type(whole.evaluation)(**evaluation)
    )


def test_a_prediction_looks_at_every_stride_th_b_scan(store, seen):
    predictions = predict_volumes({}, store, "val", config(scan_stride=3))
    assert seen == [20, 50] * 2
    assert predictions.scans.tolist() == [2, 2]
    np.testing.assert_allclose(predictions.probability, 35 / 255, rtol=1e-6)


def test_descriptors_are_of_all_b_scans_whatever_is_predicted(store, seen):
    found = descriptors({}, store, "val", volume_settings(config(scan_stride=3)), "sum")
    assert seen == list(LEVELS) * 2
    expected = np.cbrt(np.sum(np.array(LEVELS, np.float64) ** 3))
    np.testing.assert_allclose(found, np.full((2, 1), expected), rtol=1e-6)


def test_a_validation_has_a_stride_of_its_own(store, seen):
    settings = config(validation_stride=2)
    validation_scores(store, settings, {}, lambda: None)
    assert seen == [20, 40, 60] * 2


def test_the_papers_validations_are_a_sample():
    assert PRESETS["paper"]().evaluation.validation_stride == 8
    assert PRESETS["paper"]().evaluation.scan_stride == 1
