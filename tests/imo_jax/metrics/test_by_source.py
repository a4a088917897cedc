"""Eyes of several data sets in one manifest, each scored alone."""

from imo_jax.metrics.by_source import by_source


def test_sets_are_told_apart_and_a_single_one_is_not():
    scores = by_source([1, 2, 3, 4], ["refuge", "papila", "", "refuge"], sum)
    assert scores == {"refuge": 5, "papila": 2, "no source": 3}
    assert by_source([1, 2], ["refuge", "refuge"], sum) == by_source([], [], sum) == {}
