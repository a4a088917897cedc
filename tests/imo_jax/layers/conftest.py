"""For the tests of layers."""

import pytest


@pytest.fixture(autouse=True)
def compiles_quickly():
    """Nothing: layers are tested as they are."""
