"""For the tests of layers."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


@pytest.fixture(autouse=True)
def compiles_quickly():
    """Nothing: layers are tested as they are."""
