"""How a prediction is timed."""

from imo_jax.predictor.cost import median_seconds


def test_the_median_of_the_calls_after_the_first():
    calls = []
    seconds = median_seconds(lambda: calls.append(1), repeats=5)
    assert len(calls) == 6 and 0 <= seconds < 1
