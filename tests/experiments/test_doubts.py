"""What is doubted of an evaluated eye: in its record, below its picture, on its card."""

import numpy as np
import pytest

from data_pipelines.load import ArrayStore, WorkingGrid
from data_pipelines.manifest.check import doubts_by_id
from data_pipelines.manifest.problems import Problem
from data_pipelines.squares import Square
from experiments.scoring import eye_picture, score
from imo_jax.predictor.batches import EyePrediction
from imo_jax.predictor.eye_result import NO_DISC, disc_parts
from imo_jax.report.eye_cards import eye_card

SIDE = 32


@pytest.fixture
def eyes(tmp_path):
    """Two unlabelled eyes in the test split, of which the second is doubted."""
    (tmp_path / "manifest.csv").write_text(
        "id,patient,split,fundus,oct,mask,grade\n"
        "sound,p1,test,a.png,,,0\n"
        "dark,p2,test,a.png,,,0\n"
    )
    records = [
        {"id": name, "patient": name, "grade": 0, "has_grade": False, "has_oct": False,
         "has_mask": False, "glaucoma": 0, "has_glaucoma": False, "native_mask": b"",
         "mask": np.full((SIDE, SIDE), 255, np.uint8), "frame": [0, 0, SIDE, SIDE, SIDE, SIDE, SIDE],
         "fundus": np.full((SIDE, SIDE, 3), [190, 100, 50], np.uint8)}
        for name in ("sound", "dark")
    ]  # fmt: skip
    for record in records:
        record["frame"] = np.array(record["frame"], np.int32)
    store = ArrayStore(WorkingGrid(SIDE, None), {"test": records})
    problems = [
        Problem(3, "/data/a.png", "is nearly black", "warning"),
        Problem(None, None, "columns not used: x", "warning"),
        Problem(2, "/data/a.png", "does not exist"),
    ]
    store.doubts = doubts_by_id(tmp_path / "manifest.csv", None, problems)
    return store


def predicted(index, disc):
    probabilities = np.zeros((SIDE, SIDE, 3), np.float32)
    probabilities[..., 0] = 1
    if disc:
        probabilities[10:20, 10:20] = (0, 1, 0)
    return EyePrediction(
        index=index, id="e", grade_probabilities=None, probabilities=probabilities,
        sample_ids=None, entropy=None,
    )  # fmt: skip


CASES = {
    "nothing": (0, True, ()),
    "the file": (1, True, ("a.png is nearly black",)),
    "the file and the prediction": (1, False, ("a.png is nearly black", NO_DISC)),
}


@pytest.mark.parametrize(("index", "disc", "doubts"), CASES.values(), ids=CASES)
def test_a_record_its_picture_and_its_card_say_the_same_doubts(eyes, index, disc, doubts):
    prediction = predicted(index, disc)
    record = score(eyes, "test", prediction)
    assert record["warnings"] == doubts
    picture = eye_picture(eyes, "test", prediction, record)
    without = eye_picture(eyes, "test", prediction, record | {"warnings": ()})
    assert (len(picture) > len(without)) == bool(doubts)
    card = eye_card(eyes.example("test", index), prediction, record)
    assert [line["text"] for line in card["lines"] if "doubtful" in line["text"]] == [
        f"doubtful: {doubt}" for doubt in doubts
    ]


def test_the_picture_of_a_square_says_that_it_is_one(eyes, monkeypatch):
    prediction = predicted(0, True)
    record = score(eyes, "test", prediction)
    whole = eye_picture(eyes, "test", prediction, record)
    monkeypatch.setattr(eyes, "squares", {prediction.id: Square(0, 0, SIDE)})
    assert (whole != eye_picture(eyes, "test", prediction, record)).any()


def test_more_doubts_take_more_room(eyes):
    prediction = predicted(1, False)
    record = score(eyes, "test", prediction)
    one = record | {"warnings": record["warnings"][:1]}
    heights = [len(eye_picture(eyes, "test", prediction, r)) for r in (one, record)]
    assert heights[0] < heights[1]


@pytest.mark.parametrize(("side", "parts"), [(2, 1), (6, 2)])
def test_disc_in_several_places_is_doubted_and_crumbs_are_not(eyes, side, parts):
    prediction = predicted(0, True)  # 10 x 10 pixels
    prediction.probabilities[:side, :side] = (0, 0.4, 0.6)
    assert disc_parts(prediction.probabilities) == parts
    warnings = score(eyes, "test", prediction)["warnings"]
    assert len(warnings) == parts - 1
    if parts > 1:
        assert warnings[0].startswith("disc was outlined in 2 separate places")
