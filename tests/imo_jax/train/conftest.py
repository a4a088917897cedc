"""Gives the tests of training their toy model, and programs that compile sooner."""

import importlib.util
import pathlib
import sys

import jax
import pytest


@pytest.fixture(autouse=True, scope="package")
def compiles_quickly():
    """Most of these tests' time is compilation, and none is about speed."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def toy():
    """The module toy.py beside this file."""
    path = pathlib.Path(__file__).with_name("toy.py")
    spec = importlib.util.spec_from_file_location("toy", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy"] = module  # so that dataclasses find it
    spec.loader.exec_module(module)
    return module
