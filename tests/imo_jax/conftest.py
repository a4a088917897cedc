"""For the tests of the library: networks that are traced and compiled sooner."""

import pytest

from imo_jax.layers import depthwise


@pytest.fixture(autouse=True)
def compiles_quickly(monkeypatch):
    """Most of these tests' time is tracing and compilation, and none is about speed.

    A depthwise convolution is one operation here, not 49 (layers/test_depthwise.py compares them).
    """
    monkeypatch.setattr(depthwise, "depthwise_conv", depthwise.grouped_conv)
