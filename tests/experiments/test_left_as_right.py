"""A network that is shown left eyes as right ones: what it says of a left eye is, mirrored, what it
says of the right eye that is its mirror image."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

import imo_jax
from data_pipelines.load import ArrayStore
from data_pipelines.manifest import Eye, read_manifest, write_manifest
from experiments.config import RunConfig
from experiments.prediction import predictions
from experiments.run_eval import baseline_records
from experiments.saved_run import restore_run
from experiments.scoring import fit_baseline, score_all
from imo_jax.augment.config import AugmentConfig
from imo_jax.predictor.denoising import denoisings
from imo_jax.predictor.eyes import NO_LEFT_EYES, SIDE_NOT_KNOWN
from imo_jax.predictor.locator import Locator
from imo_jax.settings.fields import replace_leaves

RUNS = pathlib.Path(__file__).resolve().parents[1] / "run_folders"
SIZE = 64  # of the run's working square, and of the photographs: nothing is resampled
BATCH = 2  # eyes at a time of predictions and evaluations alike: three are two batches


def photograph_and_volume():
    """An eye whose disc is right of the middle, at the run's working sizes."""
    picture = Image.open(RUNS / "eye.jpg").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    volume = np.load(RUNS / "eye.npy")[::2, ::2, ::2]  # slices, depth, width
    return np.asarray(picture), np.ascontiguousarray(volume)


PHOTOGRAPH, VOLUME = photograph_and_volume()
MIRRORED = np.ascontiguousarray(PHOTOGRAPH[:, ::-1]), np.ascontiguousarray(VOLUME[:, :, ::-1])


def folder_with(path, **settings):
    """The small trained run of an earlier version, with settings it did not have."""
    shutil.copytree(RUNS / "imo", path)
    values = json.loads((path / "config.json").read_text())
    values["data"]["crop_to_field"] = False
    values["evaluation"]["eval_batch_size"] = BATCH
    values["augment"] |= settings
    (path / "config.json").write_text(json.dumps(values))
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The run as it was trained, and as one that was shown left eyes as right ones."""
    root = tmp_path_factory.mktemp("runs")
    same_side = {"left_as_right": True, "flip": False}
    return folder_with(root / "plain"), folder_with(root / "same_side", **same_side)


@pytest.fixture(scope="module")
def plain(folders):
    return imo_jax.load(folders[0])


@pytest.fixture(scope="module")
def same_side(folders):
    return imo_jax.load(folders[1])


def assert_mirror_images(one, other):
    """Two answers of which one is the other's mirror image, to the bit."""
    np.testing.assert_array_equal(one.grade_probabilities, other.grade_probabilities)
    np.testing.assert_array_equal(one.probabilities, other.probabilities[:, ::-1])
    np.testing.assert_array_equal(one.sample_ids, other.sample_ids[:, :, ::-1])
    np.testing.assert_array_equal(one.entropy, other.entropy[:, ::-1])


def assert_same(one, other):
    for name in ("grade_probabilities", "probabilities", "sample_ids", "entropy"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_a_left_eye_is_its_right_twin_mirrored(same_side, plain):
    left = same_side.predict(PHOTOGRAPH, VOLUME, eye="OS")
    twin = same_side.predict(*MIRRORED, eye="OD")
    assert (left.mask > 0).any()  # there is something to be compared
    assert_mirror_images(left.answer, twin.answer)
    np.testing.assert_array_equal(left.fundus, PHOTOGRAPH)  # as the photograph lies
    np.testing.assert_array_equal(left.mask, twin.mask[:, ::-1])
    assert (left.eye, twin.eye) == ("OS", "OD")
    assert left.vertical_cdr.value == pytest.approx(twin.vertical_cdr.value)
    # Nasal stays nasal; along rays between pixels a width is not measured to the last digit.
    assert left.measures.sector_rim == pytest.approx(twin.measures.sector_rim, rel=0.01)
    assert left.measures.sector_rim["nasal"] < 0.9 * left.measures.sector_rim["temporal"]
    # The network was not trained so: it says something else of the eye as it lies.
    as_it_lies = plain.predict(PHOTOGRAPH, VOLUME, eye="OS")
    assert np.abs(left.answer.probabilities - as_it_lies.answer.probabilities).max() > 1e-3


def test_right_eyes_and_those_of_unknown_side_are_seen_as_they_lie(same_side, plain):
    for side in ("OD", None):
        found = same_side.predict(PHOTOGRAPH, VOLUME, eye=side)
        assert_same(found.answer, plain.predict(PHOTOGRAPH, VOLUME, eye=side).answer)
        assert (SIDE_NOT_KNOWN in found.warnings) == (side is None)
    assert SIDE_NOT_KNOWN not in plain.predict(PHOTOGRAPH).warnings


def test_sides_are_those_of_each_eye_in_a_list(same_side):
    photographs, volumes = [PHOTOGRAPH] * 3, [VOLUME] * 3
    sides = [None, "OS", "OD"]
    together = same_side.predict(photographs, volumes, eye=sides)
    for side, found in zip(sides, together, strict=True):
        alone = same_side.predict(PHOTOGRAPH, VOLUME, eye=side).answer
        np.testing.assert_allclose(found.answer.probabilities, alone.probabilities, atol=1e-5)


def test_the_mirror_would_show_left_eyes_and_is_refused(same_side):
    with pytest.raises(ValueError) as error:
        same_side.predict(PHOTOGRAPH, eye="OS", mirror=True)
    assert str(error.value) == NO_LEFT_EYES


def test_what_the_grade_rests_on_is_mirrored_too(same_side):
    left = same_side.grade_evidence(PHOTOGRAPH, VOLUME, eye="OS")
    same = same_side.grade_evidence(PHOTOGRAPH, VOLUME, eye="OD")
    assert left.grade == same_side.predict(PHOTOGRAPH, VOLUME, eye="OS").grade
    assert left.values.shape == same.values.shape
    assert np.abs(left.values - same.values).max() > 0


def test_a_locator_finds_a_left_eyes_disc_where_its_twins_is(same_side, plain):
    locator = Locator(same_side, 2.0)
    left = locator.frame(PHOTOGRAPH, SIZE, "OS")
    twin = locator.frame(MIRRORED[0], SIZE, "OD")
    assert left.left == pytest.approx(SIZE - twin.left - twin.width, abs=1)
    assert (left.top, left.height) == (twin.top, twin.height)
    assert locator.frame(PHOTOGRAPH, SIZE, "OD") == Locator(plain, 2.0).frame(PHOTOGRAPH, SIZE)


@pytest.fixture
def evaluated(folders, tmp_path):
    """(run, store of eyes, store of their right twins): a left eye, a right one, one of unknown side."""
    mask = np.asarray(Image.open(RUNS / "imo" / "said_mask.png").resize((SIZE, SIZE), 0))

    def store(name, turned):
        folder = tmp_path / name
        folder.mkdir()
        eyes = []
        for i, side in enumerate(("OS", "OD", None) * 2):
            flip = turned and side == "OS"
            step = -1 if flip else 1
            files = [folder / f"{i}{end}" for end in (".png", ".npy", "_mask.png")]
            Image.fromarray(PHOTOGRAPH[:, ::step]).save(files[0])
            np.save(files[1], VOLUME[:, :, ::step])
            Image.fromarray(mask[:, ::step]).save(files[2])
            split = "train" if i < 3 else "test"
            side = "OD" if flip else side
            eyes.append(Eye(f"e{i}", f"p{i}", split, *files, i % 3, eye=side))
        write_manifest(folder / "manifest.csv", eyes)
        manifest = read_manifest(folder / "manifest.csv")
        return ArrayStore.from_manifest(manifest, SIZE, (16, 16, 4), crop_to_field=False)

    run = restore_run(folders[1], {}, "best", RunConfig)
    return run, store("eyes", False), store("twins", True)


def test_evaluation_sees_and_scores_what_prediction_does(evaluated, same_side):
    run, eyes, twins = evaluated
    found, of_twins = list(predictions(run, eyes)), list(predictions(run, twins))
    assert_mirror_images(found[0], of_twins[0])
    for one, other in zip(found[1:], of_twins[1:], strict=True):
        assert_same(one, other)
    for prediction, side in zip(found, ("OS", "OD", None), strict=True):
        asked = same_side.predict(PHOTOGRAPH, VOLUME, eye=side)
        np.testing.assert_allclose(prediction.probabilities, asked.answer.probabilities, atol=1e-5)
    records, expected = (score_all(store, "test", answers) for store, answers in
                         ((eyes, found), (twins, of_twins)))  # fmt: skip
    for record, other in zip(records, expected, strict=True):
        np.testing.assert_array_equal(record["confusion"], other["confusion"])
        for name in ("vcdr_pred", "vcdr_true"):
            assert record[name] == pytest.approx(other[name]), name
    assert ["nasal" in r["measures_pred"].sector_rim for r in records] == [True, True, False]


def test_the_baseline_knows_the_sides_too(evaluated):
    run, eyes, twins = evaluated
    fitted = fit_baseline(eyes, "train", left_as_right=True)
    of_twins = fit_baseline(twins, "train", left_as_right=True)
    np.testing.assert_array_equal(fitted["shape"], of_twins["shape"])
    run = dataclasses.replace(run, baseline=fitted)
    records, expected = baseline_records(run, eyes), baseline_records(run, twins)
    for record, other in zip(records, expected, strict=True):
        np.testing.assert_array_equal(record["confusion"], other["confusion"])
    assert (fit_baseline(eyes, "train")["shape"] != fitted["shape"]).any()


def test_denoising_steps_lie_as_the_photograph(evaluated):
    run, eyes, twins = evaluated
    examples = [store.example("test", 0) for store in (eyes, twins)]
    left, twin = denoisings(run.variables, run.config.model, examples, [True, False])
    np.testing.assert_array_equal(left.probabilities, twin.probabilities[:, :, ::-1])


def test_older_runs_mirrored_nothing():
    run = restore_run(RUNS / "imo", {}, "best", RunConfig)
    assert not run.config.augment.left_as_right
    assert not imo_jax.load(RUNS / "imo").settings.left_as_right


def test_what_would_undo_it_is_refused():
    with pytest.raises(ValueError, match="left_as_right=True with flip=True.*--noflip"):
        AugmentConfig(left_as_right=True)
    augment = AugmentConfig(left_as_right=True, flip=False)
    config = RunConfig(augment=augment)
    with pytest.raises(ValueError, match="mirror=True with left_as_right=True"):
        replace_leaves(config, {"mirror": True})
