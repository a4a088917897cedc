"""Predictions of eyes from Python: what is taken, what comes out, and that nothing recompiles."""

import concurrent.futures
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import imo_jax
from data_pipelines.framing import Frame
from experiments.config import RunConfig
from experiments.run_predict import run_predict
from experiments.runtime import UserError
from experiments.saved_run import restore_run
from imo_jax.models.imo import sample
from imo_jax.predictor.answers import how_asked
from imo_jax.predictor.calibration import EyeCalibration
from imo_jax.predictor.eye_result import (
    CUT_OFF,
    FEW_PIXELS,
    NO_DISC,
    found_disc,
    with_doubted_outline,
)
from imo_jax.predictor.eyes import NO_OCT_USED
from imo_jax.visualisation.overlays import eye_title


def same(one, other):
    """Whether two results say the same to the bit."""
    assert one.has_oct == other.has_oct and one.frame == other.frame
    for name in ("grade_probabilities", "probabilities", "sample_ids", "entropy"):
        np.testing.assert_array_equal(getattr(one.answer, name), getattr(other.answer, name))
    return True


@pytest.fixture(scope="module")
def predictor(run_folder):
    return imo_jax.load(run_folder("imo"))


@pytest.fixture(scope="module")
def result(predictor, eyes):
    return predictor.predict(*eyes[0])


def test_a_prediction_has_its_fields_at_the_photographs_own_size(result, eyes):
    width, height = Image.open(eyes[0][0]).size
    assert result.id == eyes[0][0].stem and result.has_oct
    assert result.probabilities.shape == (height, width, 3)
    np.testing.assert_allclose(result.probabilities.sum(axis=-1), 1, atol=1e-5)
    assert result.mask.shape == (height, width) and result.mask.dtype == np.uint8
    assert 1 < len(np.unique(result.mask)) and result.mask.max() <= 2
    np.testing.assert_array_equal(result.mask, result.probabilities.argmax(axis=-1))
    assert result.entropy.shape == (height, width)
    assert 0 <= result.entropy.min() and result.entropy.max() <= np.log(3) + 1e-6
    assert list(result.grade_probabilities) == ["normal", "early", "mid/advanced"]
    assert result.grade_probabilities[result.grade] == max(result.grade_probabilities.values())
    assert result.vertical_cdr.samples == 4
    assert result.overlay().dtype == np.uint8 and result.overlay().shape[-1] == 3


def test_the_program_writes_the_same_bits(run_folder, phantom, eyes, result, tmp_path):
    run = restore_run(str(run_folder("imo")), {}, "best", RunConfig)
    photograph, volume = map(str, eyes[0])
    run_predict(run, fundus=photograph, volume=volume, manifest=None, out=str(tmp_path / "program"))
    result.save(tmp_path / "library")
    names = sorted(path.name for path in (tmp_path / "program").iterdir())
    assert names == [f"{result.id}{end}" for end in
                     (".json", "_mask.png", "_overlay.png", "_uncertainty.png")]  # fmt: skip
    for name in names:
        one, other = ((tmp_path / f / name).read_bytes() for f in ("program", "library"))
        assert one == other, name


def test_a_notebook_shows_the_picture_and_a_short_name(result):
    shown = np.asarray(Image.open(io.BytesIO(result._repr_png_())))
    np.testing.assert_array_equal(shown, result.overlay())
    assert repr(result) == f"<EyeResult {result}>" and len(repr(result)) < 400


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(run_folder, eyes, tmp_path):
    run = restore_run(str(run_folder("imo")), {}, "best", RunConfig)
    (tmp_path / "file").write_text("in the way")
    out = str(tmp_path / "file" / "folder")
    with pytest.raises(UserError, match="folder cannot be written"):
        run_predict(run, fundus=str(eyes[0][0]), volume=None, manifest=None, out=out)


def test_files_hold_what_the_result_says(result, tmp_path):
    result.save(tmp_path)
    said = json.loads((tmp_path / f"{result.id}.json").read_text())
    assert said == result.to_json()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / said["mask"]["file"])),
                                  result.mask)  # fmt: skip
    grey = np.asarray(Image.open(tmp_path / said["uncertainty"]["file"]), np.float64)
    np.testing.assert_allclose(
        grey * said["uncertainty"]["nats_per_grey_value"], result.entropy, atol=6e-5
    )


def test_files_arrays_and_pictures_are_the_same_eye(predictor, result, eyes, arrays):
    photograph, volume = arrays[0]
    assert same(result, predictor.predict(photograph, volume, ids="x"))
    assert same(result, predictor.predict(Image.open(eyes[0][0]), eyes[0][1]))


def test_many_eyes_are_a_list_in_order_and_an_eye_does_not_depend_on_its_company(predictor, eyes):
    photographs, volumes = [p for p, _ in eyes], [eyes[0][1], None, eyes[2][1]]
    together = predictor.predict(photographs, volumes)
    assert [r.id for r in together] == [p.stem for p in photographs]
    assert [r.has_oct for r in together] == [True, False, True]
    backwards = predictor.predict(photographs[::-1], volumes[::-1])[::-1]
    assert all(map(same, together, backwards))


def test_eyes_of_other_sizes_compile_nothing_anew(predictor, arrays, result):
    compiled = sample._predict._cache_size()
    for photograph, volume in arrays:
        predictor.predict(photograph[:-31, :-17], volume[:, 3:])
        predictor.predict(photograph[::2, ::2])
    assert sample._predict._cache_size() == compiled


def test_threads_get_what_one_alone_gets(predictor, arrays):
    alone = [predictor.predict(*eye) for eye in arrays]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: predictor.predict(*arrays[i % 3]), range(12)))
    assert all(same(result, alone[i % 3]) for i, result in enumerate(found))


def test_mirror_is_the_mean_of_the_eye_and_its_mirror(run_folder, arrays):
    predictor = imo_jax.load(run_folder("imo"), samples=2)
    photograph, volume = arrays[0]
    eye = predictor.predict(photograph, volume)
    flipped = predictor.predict(photograph[:, ::-1], volume[:, :, ::-1])
    both = predictor.predict(photograph, volume, mirror=True)
    if flipped.frame.left == eye.frame.left:  # else the mirrored eye is framed a pixel beside
        mean = (eye.answer.probabilities + flipped.answer.probabilities[:, ::-1]) / 2
        np.testing.assert_allclose(both.answer.probabilities, mean, atol=1e-5)
        grades = (eye.answer.grade_probabilities + flipped.answer.grade_probabilities) / 2
        np.testing.assert_allclose(both.answer.grade_probabilities, grades, atol=1e-5)
    assert len(both.answer.sample_ids) == 4
    by_setting = imo_jax.load(run_folder("imo", 0, mirror=True), samples=2)
    assert same(by_setting.predict(photograph, volume), both)
    assert same(by_setting.predict(photograph, volume, mirror=False), eye)
    assert np.abs(both.answer.probabilities - eye.answer.probabilities).max() > 1e-3


def test_several_runs_are_one_predictor_with_their_mean(run_folder, eyes):
    folders = [run_folder("imo", seed) for seed in (0, 1)]
    singles = [imo_jax.load(folder).predict(*eyes[0]) for folder in folders]
    mean = imo_jax.load(folders).predict(*eyes[0])
    np.testing.assert_allclose(
        mean.answer.probabilities, sum(s.answer.probabilities for s in singles) / 2, atol=1e-5
    )
    np.testing.assert_allclose(
        mean.answer.grade_probabilities,
        sum(s.answer.grade_probabilities for s in singles) / 2,
        atol=1e-6,
    )
    assert mean.vertical_cdr.samples == 8


def test_runs_that_differ_are_not_averaged(run_folder):
    with pytest.raises(ValueError, match="image_size|feature_dim|different kinds"):
        imo_jax.load([run_folder("imo"), run_folder("segmenter")])
    with pytest.raises(ValueError, match="signal_scale: 1.0 and 0.5"):
        imo_jax.load([run_folder("imo"), run_folder("imo", 0, signal_scale=0.5)])


@pytest.mark.parametrize(
    ("given", "message"),
    [(None, "not by None"), ([3], "not by 3"), ("", "no run is named"), ([], "no run is named")],
)
def test_what_names_no_run(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        imo_jax.load(given)


def test_runs_may_be_named_by_an_iterator(run_folder):
    folder = run_folder("segmenter")
    assert len(imo_jax.load(folder.parent.glob(folder.name)).networks) == 1


def test_an_unknown_checkpoint(run_folder):
    with pytest.raises(ValueError, match="checkpoint is 'newest'; choose best or last"):
        imo_jax.load(run_folder("segmenter"), checkpoint="newest")


def test_a_segmenter_and_a_grader_say_what_they_can(run_folder, eyes, tmp_path):
    segmented = imo_jax.load(run_folder("segmenter")).predict(eyes[0][0])
    assert segmented.grade is None and segmented.mask.any()
    graded = imo_jax.load(run_folder("grader")).predict(*eyes[0])
    assert graded.mask is None and graded.vertical_cdr is None and graded.overlay() is None
    assert graded.warnings == (NO_OCT_USED,)
    graded.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{graded.id}.json"]


def test_a_turned_photograph_says_how_its_mask_lies(predictor, arrays, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = tmp_path / "turned.png"
    Image.fromarray(arrays[0][0][:, :-40]).save(turned, exif=exif)
    result = predictor.predict(turned)
    stored = Image.open(turned).size
    assert result.mask.shape == stored  # (height, width) upright = (width, height) as stored
    mask = result.to_json()["mask"]
    assert (mask["height"], mask["width"]) == stored
    assert "EXIF orientation 6" in mask["orientation"]


def test_where_no_disc_is_found_it_is_said(result):
    nothing, disc = (np.zeros((48, 48, 3), np.float32) for _ in range(2))
    nothing[..., 0] = 1
    disc[..., 0], disc[20, 20] = 0.4, (0.2, 0.8, 0.0)
    answers = [dataclasses.replace(result.answer, probabilities=p) for p in (nothing, disc)]
    assert [found_disc(answer) for answer in answers] == [False, True]
    doubtful = dataclasses.replace(result, answer=answers[0], warnings=(NO_DISC,))
    assert NO_DISC in str(doubtful) and doubtful.to_json()["warnings"] == [NO_DISC]
    assert doubtful.vertical_cdr.value is None and doubtful.grade == result.grade
    plain = dataclasses.replace(doubtful, warnings=())
    assert len(doubtful.overlay()) > len(plain.overlay())  # a note stands below


@pytest.fixture
def calibrated_folder(run_folder, tmp_path):
    """A run with a calibration.json, as training leaves it."""
    folder = tmp_path / "run"
    shutil.copytree(run_folder("imo"), folder)
    model = imo_jax.load(folder).settings.model
    calibration = EyeCalibration(
        step=7, asked=how_asked(model, 4, False), coverage=0.9, cdr_error=0.1, cdr_eyes=24,
        grade_score=0.66, temperature=4.0, graded_eyes=24,
    )  # fmt: skip
    (folder / "calibration.json").write_text(json.dumps(dataclasses.asdict(calibration)))
    return folder


def test_what_validation_taught_stands_beside_what_is_said(calibrated_folder, result, eyes):
    found = imo_jax.load(calibrated_folder).predict(*eyes[0])
    assert same(found, result)
    ratio = found.vertical_cdr
    if ratio.value is not None:
        assert ratio.low <= ratio.value <= ratio.high and ratio.coverage == 0.9
        assert ratio.high - ratio.low <= 0.2 + 1e-9
    assert found.grade == result.grade and found.grade in found.grade_set
    assert found.grade_probabilities[found.grade] < result.grade_probabilities[result.grade]
    said = found.to_json()
    assert said["grade_set"] == {"grades": list(found.grade_set), "coverage": 0.9}
    assert "24 validation eyes" in said["calibrated_on"]


def test_what_was_not_measured_is_not_promised(calibrated_folder, result, eyes):
    assert result.grade_set is None and result.vertical_cdr.coverage is None
    assert "no validation eyes" in result.to_json()["calibrated_on"]
    other_samples = imo_jax.load(calibrated_folder, samples=2).predict(*eyes[0])
    mirrored = imo_jax.load(calibrated_folder).predict(*eyes[0], mirror=True)
    mean = imo_jax.load([calibrated_folder, calibrated_folder]).predict(*eyes[0])
    for found, words in (
        (other_samples, "samples=4"),
        (mirrored, "mirror=False"),
        (mean, "mean of several"),
    ):
        assert found.calibration is None and words in found.calibrated_on


def test_a_calibration_of_another_checkpoint_or_version_is_not_used(calibrated_folder, eyes):
    file = calibrated_folder / "calibration.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {"step": 3}))
    assert "step 3" in imo_jax.load(calibrated_folder).predict(eyes[0][0]).calibrated_on
    file.write_text(json.dumps(values | {"unknown": 3}))
    with pytest.raises(ValueError, match="calibration.json.*unknown"):
        imo_jax.load(calibrated_folder)


BAD = {
    "floats": (np.zeros((40, 40, 3)), "float64.*uint8"),
    "two axes too many": (np.zeros((2, 40, 40, 3), np.uint8), "list"),
    "five channels": (np.zeros((40, 40, 5), np.uint8), "RGB"),
    "no pixels": (np.zeros((0, 40, 3), np.uint8), "shape"),
    "black": (np.zeros((64, 64, 3), np.uint8), "single colour"),
    "five by five pixels": (np.arange(75, dtype=np.uint8).reshape(5, 5, 3), "absurd size"),
    "black and white": (Image.new("1", (40, 40)), "black-and-white"),
    "no picture": (3, "path, a numpy array"),
    "absent": ("absent.jpg", "absent.jpg: no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_photograph_is_refused_with_its_reason(predictor, name):
    given, words = BAD[name]
    with pytest.raises(ValueError, match=words):
        predictor.predict(given)


def test_what_check_would_doubt_is_said_of_a_prediction_too(predictor, arrays, tmp_path):
    photograph, volume = arrays[0]
    dark, grey = photograph // 16, np.repeat(photograph[..., :1], 3, axis=2)
    twelve_bits = tmp_path / "twelve_bits.png"
    Image.fromarray(photograph[..., 1].astype(np.uint16) * 16).save(twelve_bits)
    for given, scan, words in (
        (dark, volume, "nearly black"),
        (grey, volume, "grey"),
        (twelve_bits, None, "nearly black"),
        (photograph, volume[:1], "single slice"),
    ):
        found = predictor.predict(given, scan)
        assert any(words in warning for warning in found.warnings), (words, found.warnings)
        assert words in str(found) and found.grade is not None  # marked, not withheld


def test_millimetres_where_the_spacing_is_given(predictor, result, arrays):
    assert result.mm_per_pixel is None and result.to_json()["disc"]["disc_area_mm2"] is None
    photographs, height = [a for a, _ in arrays[:2]], result.measures.disc_height
    found, other = predictor.predict(photographs, mm_per_pixel=[2.0 / height, None])
    assert other.mm_per_pixel is None and found.measures.mm_per_pixel == 2.0 / height
    said = found.to_json()["disc"]
    assert said["disc_area_mm2"] == pytest.approx(said["disc_area_px"] * (2.0 / height) ** 2)
    assert "area" in eye_title(found.record) and "area" not in eye_title(other.record)
    for bad in (5.0, 0.0, -0.01, float("nan")):
        with pytest.raises(ValueError, match="mm_per_pixel.*impossible"):
            predictor.predict(photographs[0], mm_per_pixel=bad)
    with pytest.raises(ValueError, match="3 times mm_per_pixel for 2 eyes"):
        predictor.predict(photographs, mm_per_pixel=[0.01] * 3)


def test_the_side_of_the_eye_names_the_sectors(predictor, result, arrays):
    photographs = [a for a, _ in arrays[:2]]
    right, unknown = predictor.predict(photographs, eye=["OD", None])
    assert right.eye == "OD" and right.measures.isnt is not None
    assert set(right.measures.sector_rim) == {"superior", "inferior", "nasal", "temporal"}
    assert unknown.eye is None and "nasal" not in unknown.measures.sector_rim
    with pytest.raises(ValueError, match="eye is 'right': OD"):
        predictor.predict(photographs[0], eye="right")


def test_a_disc_larger_than_any_eyes_is_doubted(predictor, result, eyes):
    height = result.measures.disc_height
    for mm, doubted in ((0.5, True), (2.0, False), (4.0, True)):
        spacing = min(mm / height, 0.2)
        found = predictor.predict(*eyes[0], mm_per_pixel=spacing)
        assert any("mind the spacing" in w for w in found.warnings) == doubted, mm


@pytest.mark.parametrize(
    ("box", "frame", "doubts"),
    [
        ((8, 24), (0, 400, 400), ()),
        ((0, 24), (0, 400, 400), (CUT_OFF,)),
        ((8, 32), (0, 400, 400), (CUT_OFF,)),
        ((0, 32), (100, 100, 400), ()),  # all of a square that lies within the photograph
        ((0, 16), (-50, 400, 400), (CUT_OFF,)),  # the square sticks out, and the disc with it
        ((8, 24), (0, 40, 40), (FEW_PIXELS.format(20, 0.05),)),
    ],
    ids=["whole", "above", "below", "within", "outside", "few pixels"],
)
def test_a_disc_that_is_cut_off_or_of_few_pixels_is_doubted(result, box, frame, doubts):
    probabilities = np.zeros((32, 32, 3), np.float32)
    probabilities[..., 0] = 0.5
    probabilities[slice(*box), 8:24, 1] = 1
    start, side, native = frame
    answer = dataclasses.replace(result.answer, probabilities=probabilities)
    seen = Frame(start, native // 4, side, side, native, 2 * native, 32)
    sound = dataclasses.replace(result, answer=answer, frame=seen, warnings=(), mm_per_pixel=None)
    assert with_doubted_outline(sound).warnings == doubts


def test_lists_that_do_not_fit_are_refused(predictor, eyes):
    photographs = [p for p, _ in eyes]
    with pytest.raises(ValueError, match="1 OCT volumes for 3 photographs"):
        predictor.predict(photographs, [eyes[0][1]])
    with pytest.raises(ValueError, match="two eyes would be named"):
        predictor.predict([photographs[0], photographs[0]])
    with pytest.raises(ValueError, match="a.jpg: no such file\nb.jpg: no such file"):
        predictor.predict(["a.jpg", "b.jpg"])
    with pytest.raises(ValueError, match="NaN"):
        predictor.predict(photographs[0], np.full((4, 8, 8), np.nan))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no trained run"):
        imo_jax.load(tmp_path)


def test_what_is_said_of_a_volume_is_how_it_is_taken(predictor, result, eyes, run_folder, tmp_path):
    photograph, scan = eyes[0]
    turned = np.load(scan).transpose(1, 2, 0)
    said = {"oct_axes": "depth,width,slices", "oct_range": "0..255"}
    assert same(predictor.predict(photograph, turned, ids=result.id, **said), result)
    np.save(tmp_path / "turned.npy", turned)
    # As the run was told, and as the command says now.
    folder = shutil.copytree(run_folder("imo"), tmp_path / "run")
    run = restore_run(str(folder), said, "best", RunConfig)
    asked = {"fundus": str(photograph), "volume": str(tmp_path / "turned.npy"), "manifest": None}
    run_predict(run, **asked, out=str(tmp_path / "out"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"oct": said}))
    told = imo_jax.load(folder).predict(photograph, tmp_path / "turned.npy", ids=result.id)
    assert same(told, result)
    written = json.loads((tmp_path / "out" / f"{photograph.stem}.json").read_text())
    assert written["grade_probabilities"] == pytest.approx(told.to_json()["grade_probabilities"])
    with pytest.raises(ValueError, match="oct_axes is 'x'"):
        predictor.predict(photograph, turned, oct_axes="x")
