"""Evidence for a grade: on made-up graders by hand, on a network of every kind that grades."""

import numpy as np
import pytest

import imo_jax
from imo_jax.predictor import evidence

SIDE = 32


def test_what_a_grader_looks_at_is_found_and_its_surroundings_are_not():
    square = np.full((SIDE, SIDE, 3), 100, np.uint8)
    square[8:16, 16:24] = 200  # all that the grader looks at

    def grades(squares):
        bright = squares[:, 8:16, 16:24].astype(np.float64).mean(axis=(1, 2, 3)) / 400
        return np.stack([1 - bright, bright], axis=-1)

    values, grade = evidence.grade_evidence(square, grades)
    assert grade == 0 and values.shape == (SIDE, SIDE)  # 1 - .5 = .5, the first of equals
    # Covered by the mean colour, the bright patch speaks less for grade 1: grade 0 gains.
    assert values[8:16, 16:24].max() < 0
    assert values[8:16, 16:24].min() == values.min()
    assert np.abs(values[24:, :8]).max() == 0


def test_patches_cover_the_whole_square_by_hand():
    places = evidence.corners(SIDE)
    assert len(places) == 49 and places[0] == (0, 0) and places[-1] == (24, 24)
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[4:28, 4:28] = (200, 100, 60)
    covered = evidence.cover(square, 0, 0)
    assert (covered[:8, :8] == (200, 100, 60)).all()  # the mean of what is lit, not of the ground
    assert (covered[8:] == square[8:]).all() and (covered[:, 8:] == square[:, 8:]).all()


@pytest.mark.parametrize("kind", ["imo", "grader"])
def test_networks_that_grade_say_what_it_rests_on(kind, run_folder, eyes):
    predictor = imo_jax.load(run_folder(kind))
    found = predictor.grade_evidence(*eyes[0])
    result = predictor.predict(*eyes[0])
    assert found.grade == result.grade
    assert found.values.shape == found.square.shape[:2] and np.isfinite(found.values).all()
    if kind == "imo":  # the random grader is so sure that nothing moves it
        assert np.abs(found.values).max() > 0
    assert found.picture().shape == found.square.shape and found.picture().dtype == np.uint8


def test_a_network_that_does_not_grade_says_nothing(run_folder, eyes):
    assert imo_jax.load(run_folder("segmenter")).grade_evidence(eyes[0][0]) is None
