import json
import pathlib
import zipfile

import numpy as np
import pytest

from experiments import app
from experiments.runtime import UserError

RUNS = pathlib.Path(__file__).resolve().parents[1] / "run_folders"


@pytest.fixture(scope="module")
def predictor():
    return app.opened(str(RUNS / "imo"))


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return app.example_eye(tmp_path_factory.mktemp("page"))


def test_an_eye_is_answered_with_words_picture_and_files(predictor, example, tmp_path):
    said, picture, grades, rim, evidence, (download,) = app.answer(
        predictor, *example, tmp_path
    )
    stem = pathlib.Path(example[0]).stem
    assert stem in said and "grade" in said
    assert picture.dtype == np.uint8 and picture.ndim == 3
    assert sum(grades.values()) == pytest.approx(1)
    assert rim == "" or rim.startswith("<svg")
    with zipfile.ZipFile(download) as file:
        assert f"{stem}_mask.png" in file.namelist()
        result = json.loads(file.read(f"{stem}.json"))
    assert result["id"] == stem and "disc" in result
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert left == [pathlib.Path(download)]


def test_millimetres_are_said_where_the_spacing_is_given(predictor, tmp_path):
    photograph = str(RUNS / "eye.jpg")
    said, *_ = app.answer(predictor, photograph, None, tmp_path, 0.0135)
    assert "mm²" in said and "rim in mm: superior 0.2" in said
    assert "mm²" not in app.answer(predictor, photograph, None, tmp_path)[0]
    with pytest.raises(ValueError, match="mm_per_pixel=7 is impossible"):
        app.answer(predictor, photograph, None, tmp_path, 7)
    with pytest.raises(ValueError, match="mm_per_pixel='0.006' is impossible"):
        predictor.predict(photograph, mm_per_pixel="0.006")


def test_the_side_names_the_sectors_of_the_rim(predictor, tmp_path):
    photograph = str(RUNS / "eye.jpg")
    said, *_ = app.answer(predictor, photograph, None, tmp_path, eye=app.SIDES["left (OS)"])
    assert "nasal 0." in said
    assert "nasal" not in app.answer(predictor, photograph, None, tmp_path)[0]


def test_bad_files_are_answered_in_words_without_folders(predictor, tmp_path):
    bad = tmp_path / "eye.jpg"
    bad.write_bytes(b"no picture")
    with pytest.raises(ValueError) as error:
        app.answer(predictor, str(bad), None, tmp_path)
    said = app.without_folders(str(error.value))
    assert "eye.jpg" in said and str(tmp_path) not in said
    with pytest.raises(ValueError, match="photograph first"):
        app.answer(predictor, None, None, tmp_path)


def test_what_an_asker_can_help_is_said_and_nothing_else():
    assert app.asker_words(ValueError("/home/me/eye.jpg: is no picture")) == "eye.jpg: is no picture"
    for error in (MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")):
        assert "not enough memory" in app.asker_words(error)
    assert app.asker_words(RuntimeError("a bug")) is None


def test_other_runs_are_refused(tmp_path):
    with pytest.raises(UserError, match="OCT volumes"):
        app.opened(str(RUNS / "semt"))
    with pytest.raises(UserError):
        app.opened(str(tmp_path))


def test_the_session_leaves_nothing():
    with app.session_folder() as folder:
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_the_page_can_be_made_and_tells_nobody(predictor, tmp_path):
    pytest.importorskip("gradio")
    page, settings = app.make_page(predictor, tmp_path)
    assert page.analytics_enabled is False and settings["share"] is False
    assert page.delete_cache == (60, app.KEPT)
