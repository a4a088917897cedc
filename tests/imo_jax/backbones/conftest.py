"""What the tests of several backbones look at."""

import pytest

from imo_jax.layers.stochastic import DropPath


@pytest.fixture
def drop_path_rates(monkeypatch):
    """Module of a backbone -> a list that gets the rate of every DropPath made there."""

    def recorded(module):
        rates = []

        def make(rate, name):
            rates.append(rate)
            return DropPath(rate, name=name)

        monkeypatch.setattr(f"{module}.DropPath", make)
        return rates

    return recorded
