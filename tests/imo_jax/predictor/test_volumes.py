"""Predictions of OCT volumes from Python."""

import concurrent.futures
import json

import numpy as np
import pytest

import imo_jax
from data_pipelines.load.screening_stores import ScreeningArrayStore
from data_pipelines.manifest import ScreeningManifest, ScreeningVolume
from experiments.saved_run import restore_screening
from experiments.screening.config import ScreeningConfig
from experiments.screening.prediction import predict_volumes
from experiments.screening.run_predict import run_predict
from imo_jax.models.semt.predict import predict_batch


@pytest.fixture(scope="module")
def volume():
    """(slices, depth, width) with a bright band that is not the same everywhere."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 60, (7, 40, 30)).astype(np.uint8)
    values[:, 15:25, 5:] += np.arange(7, dtype=np.uint8)[:, None, None] * 20
    return values


@pytest.fixture(scope="module")
def predictor(screening_folder):
    return imo_jax.load(screening_folder("semt"))


@pytest.fixture(scope="module")
def result(predictor, volume):
    return predictor.predict(volume, ids="v")


def test_a_prediction_has_its_fields(result, tmp_path):
    assert result.num_scans == 7 and 0 < result.probability < 1
    np.testing.assert_allclose(result.probability, result.evidence.probabilities.mean(), rtol=1e-6)
    assert list(result.visual_field) == ["vfi", "md", "psd"]
    assert 0 <= result.visual_field["vfi"] <= 100
    assert result.activation_map.shape[0] == 7 and result.evidence.images.shape == (7, 32, 32)
    assert result.overlay().dtype == np.uint8
    said = result.save(tmp_path)
    assert json.loads((tmp_path / "v.json").read_text()) == said
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "v.json", "v_cam.png", "v_en_face.png",
    ]  # fmt: skip
    assert said["threshold_of_validation"] == 0.25


def test_the_program_and_evaluation_say_the_same(screening_folder, volume, result, tmp_path):
    np.save(tmp_path / "v.npy", volume)
    run = restore_screening(screening_folder("semt"), {}, "best", ScreeningConfig)
    out = tmp_path / "out"
    (said,) = run_predict(
        run, volume=str(tmp_path / "v.npy"), eye=None, manifest=None, out=str(out)
    ).said
    result.save(tmp_path / "library")
    assert said == result.to_json()
    for path in (tmp_path / "library").iterdir():
        assert path.read_bytes() == (out / path.name).read_bytes(), path.name
    row = ScreeningVolume("v", "v", "OS", "1", "test", tmp_path / "v.npy", glaucoma=0)
    manifest = ScreeningManifest(tmp_path / "m.csv", tmp_path, (row,))
    store = ScreeningArrayStore.from_manifest(manifest, *run.config.grid, splits=("test",))
    found = predict_volumes(run.variables, store, "test", run.config)
    assert found.probability[0] == result.probability
    np.testing.assert_array_equal(found.vf[0], list(result.visual_field.values()))


def test_volumes_of_other_sizes_compile_nothing_anew(predictor, volume, result):
    compiled = predict_batch._cache_size()
    for other in (volume[:3], volume[:, :20], np.repeat(volume, 4, axis=0)):
        predictor.predict(other)
    assert predict_batch._cache_size() == compiled


def test_threads_get_what_one_alone_gets(predictor, volume):
    inputs = [volume[: 3 + i] for i in range(4)]
    alone = [predictor.predict(v).probability for v in inputs]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda v: predictor.predict(v).probability, inputs * 3))
    assert found == alone * 3


def test_many_volumes_are_a_list_in_order(predictor, volume):
    both = predictor.predict([volume, volume[:3]], ids=["a", "b"])
    assert [r.id for r in both] == ["a", "b"] and [r.num_scans for r in both] == [7, 3]


def test_several_runs_are_one_predictor_with_their_mean(screening_folder, volume):
    folders = [screening_folder("semt", seed) for seed in (0, 1)]
    singles = [imo_jax.load(folder).predict(volume) for folder in folders]
    mean = imo_jax.load(folders).predict(volume)
    expected = np.mean([s.probability for s in singles])
    np.testing.assert_allclose(mean.probability, expected, rtol=1e-6)
    assert mean.threshold is None


def test_a_network_of_whole_volumes_has_no_b_scans_to_show(screening_folder, volume):
    result = imo_jax.load(screening_folder("3d_cnn")).predict(volume)
    assert result.visual_field is None and result.scan_overlays() is None
    assert result.evidence.images.shape == (8, 16, 8) and result.overlay().ndim == 3


def test_the_side_matters_where_right_eyes_are_mirrored(screening_folder, volume):
    predictor = imo_jax.load(screening_folder("semt", 0, right_as_left=True))
    with pytest.raises(ValueError, match="OD"):
        predictor.predict(volume)
    left, right = (predictor.predict(volume, eye=side) for side in ("OS", "OD"))
    mirrored = predictor.predict(volume[:, :, ::-1], eye="OD")
    assert left.probability != right.probability
    np.testing.assert_allclose(mirrored.probability, left.probability, rtol=1e-5)
    # What was found in the turned eye is shown where it lies in the eye as it was given.
    back = np.flip(mirrored.evidence.cams, -1)
    np.testing.assert_allclose(back, left.evidence.cams, atol=1e-5)


def test_what_is_no_volume_is_refused(predictor, volume):
    with pytest.raises(ValueError, match="three axes"):
        predictor.predict(volume[0])
    with pytest.raises(ValueError, match="constant"):
        predictor.predict(np.full_like(volume, 7))
    assert "single slice" in predictor.predict(volume[:1]).warnings[0]
    with pytest.raises(ValueError, match="eye is 'left'"):
        predictor.predict(volume, eye="left")
    with pytest.raises(ValueError, match="absent.npy: no such file"):
        predictor.predict("absent.npy")
