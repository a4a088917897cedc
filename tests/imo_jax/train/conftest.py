"""Gives the tests of training their toy model."""

import importlib.util
import pathlib
import sys

import pytest


@pytest.fixture(scope="session")
def toy():
    """The module toy.py beside this file."""
    path = pathlib.Path(__file__).with_name("toy.py")
    spec = importlib.util.spec_from_file_location("toy", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = module  # so that dataclasses find it
    spec.loader.exec_module(module)
    return module
