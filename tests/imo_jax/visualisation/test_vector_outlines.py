import re

import numpy as np
import pytest

from imo_jax.visualisation.tiles import WHOLE
from imo_jax.visualisation.vector_outlines import mask_paths, probability_paths

ROWS, COLUMNS = np.indices((100, 120)) + 0.5


def points(path):
    """(N, 2) corners of a path of one piece, from its start and its relative steps."""
    assert path.count("M") == 1 and path.endswith("z")
    numbers = np.array([int(n) for n in re.findall(r"-?\d+", path)]).reshape(-1, 2)
    return np.cumsum(numbers, axis=0)


def area(path):
    x, y = points(path).T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def circle(radius, row=50, column=60):
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


EYE = circle(30).astype(np.uint8) + circle(12)


def test_a_circle_has_its_area_and_place():
    box = (20 / 120, 10 / 100, 100 / 120, 90 / 100)  # a square of 80 pixels around the middle
    paths = mask_paths(EYE, box)
    for name, radius in (("disc", 30), ("cup", 12)):
        assert area(paths[name]) == pytest.approx(np.pi * (radius * 1000 / 80) ** 2, rel=0.03)
        np.testing.assert_allclose(points(paths[name]).mean(axis=0), 500, atol=12)


def test_probabilities_and_their_ids_have_the_same_border():
    probabilities = np.eye(3, dtype=np.float32)[EYE]
    soft, hard = probability_paths(probabilities, WHOLE), mask_paths(EYE, WHOLE)
    for name in ("disc", "cup"):
        assert area(soft[name]) == pytest.approx(area(hard[name]), rel=0.05)


def test_the_border_of_probabilities_lies_between_pixels():
    # A straight edge at 3/4 of the way from one pixel's middle to the next.
    rim = np.clip((40.25 + 0.5 - COLUMNS) + 0.5, 0, 1)
    probabilities = np.stack([1 - rim, rim, np.zeros_like(rim)], axis=-1)
    right = points(probability_paths(probabilities, WHOLE)["disc"])[:, 0].max()
    assert right == round(40.75 / 120 * 1000)


def test_nothing_there_is_an_empty_path_and_an_edge_is_closed():
    assert mask_paths(np.zeros((9, 9), np.uint8), WHOLE) == {"disc": "", "cup": ""}
    full = points(mask_paths(np.ones((100, 120), np.uint8), WHOLE)["disc"])
    assert full.min() <= 5 and full.max() >= 995


def test_a_path_is_short():
    assert len(mask_paths(EYE, (0.2, 0.1, 0.8, 0.9))["disc"]) < 1500
