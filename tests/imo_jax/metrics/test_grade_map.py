"""Grades of a network held against those of another set."""

import numpy as np
import pytest

from imo_jax.metrics.grade_map import grade_map

pytestmark = pytest.mark.quick
THREE = ("normal", "early", "mid/advanced")
FOUR = ("normal", "mild", "moderate", "severe")
TWO = ("normal", "glaucoma")


def test_the_same_grades_are_left_alone():
    found = grade_map(THREE, THREE)
    assert (found.names, found.of_network, found.of_set) == (THREE, (0, 1, 2), (0, 1, 2))
    assert found.in_words is None and not found.merges


@pytest.mark.parametrize(
    ("network", "of_set", "names", "of_network", "of_set_"),
    [
        (THREE, TWO, TWO, (0, 1, 1), (0, 1)),
        (TWO, THREE, TWO, (0, 1), (0, 1, 1)),
        (FOUR, ("healthy", "ill"), ("healthy", "ill"), (0, 1, 1, 1), (0, 1)),
        (TWO, ("none", "ill"), TWO, (0, 1), (0, 1)),
    ],
)
def test_two_grades_are_normal_against_the_rest(network, of_set, names, of_network, of_set_):
    found = grade_map(network, of_set)
    assert (found.names, found.of_network, found.of_set) == (names, of_network, of_set_)
    assert "normal against the rest" in found.in_words
    assert found.merges == (len(network) > 2)


def test_grades_of_one_name_are_one_grade():
    found = grade_map(("normal", "early", "middle", "late"), ("Normal", "late"))
    assert found.names == ("normal", "early", "middle", "late")  # not normal against the rest
    assert found.of_set == (0, 3) and not found.merges
    assert "late (network: late; manifest: late)" in found.in_words
    assert "early (network: early; manifest: none)" in found.in_words


def test_others_need_a_word_of_the_user():
    with pytest.raises(ValueError) as error:
        grade_map(THREE, FOUR)
    for said in (*THREE, *FOUR, "--grade_map=binary"):
        assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_binary_is_asked_for():
    found = grade_map(THREE, FOUR, "binary")
    assert (found.names, found.of_network, found.of_set) == (TWO, (0, 1, 1), (0, 1, 1, 1))
    assert grade_map(THREE, THREE, "binary").of_set == (0, 1, 1)


def test_pairs_rename_and_merge():
    found = grade_map(THREE, FOUR, "mild=early, moderate=mid/advanced,severe=MID/advanced")
    assert (found.names, found.of_network, found.of_set) == (THREE, (0, 1, 2), (0, 1, 2, 2))
    assert "mid/advanced (network: mid/advanced; manifest: moderate, severe)" in found.in_words
    back = grade_map(FOUR, THREE, "early=mild,mid/advanced=moderate,mid/advanced=severe")
    assert (back.names, back.of_network, back.of_set) == (THREE[:1] + ("mild",) + THREE[2:],
                                                          (0, 1, 2, 2), (0, 1, 2))  # fmt: skip
    assert back.merges


def test_what_hangs_together_by_pairs_is_one_grade():
    found = grade_map(THREE, FOUR, "mild=early,moderate=early,moderate=mid/advanced,severe=mid/advanced")
    assert found.names == ("normal", "early+mid/advanced")
    assert (found.of_network, found.of_set) == ((0, 1, 1), (0, 1, 1, 1))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("mild", "'mild' is no pair"),
        ("mild=worse", "'mild=worse' is no pair"),
        ("early=mild", "'early=mild' is no pair"),  # the manifest's stands first
        ("mild=early", "is moderate, severe"),
        ("mild=mid/advanced,moderate=early,severe=early", "one order"),
        ("mild=normal,moderate=early,severe=mid/advanced", "eyes without glaucoma"),
        ("normal=early,mild=early,moderate=early,severe=mid/advanced", "eyes without glaucoma"),
    ],
)
def test_pairs_that_cannot_be(asked, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")) as error:
        grade_map(THREE, FOUR, asked)
    assert "\n" not in str(error.value)


def test_probabilities_of_merged_grades_are_summed():
    given = np.array([0.5, 0.2, 0.3], np.float32)
    found = grade_map(THREE, TWO).probabilities(given)
    np.testing.assert_allclose(found, [0.5, 0.5], rtol=1e-6)
    assert found.dtype == np.float32
    # A grade that no grade of the set is keeps its own place.
    wide = grade_map(THREE, ("normal", "mid/advanced")).probabilities(given)
    np.testing.assert_array_equal(wide, given)
    assert grade_map(THREE, TWO).probabilities(None) is None
