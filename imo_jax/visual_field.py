"""The visual field of an eye: its three indices, their units, and their scale as targets."""

from typing import TypeVar

import numpy as np

INDICES = ("vfi", "md", "psd")  # the order of every array of visual fields
UNITS = {"vfi": "%", "md": "dB", "psd": "dB"}
TITLES = {
    "vfi": "visual field index",
    "md": "mean deviation",
    "psd": "pattern standard deviation",
}

# What the targets are scaled from, in the units above; values beyond are clipped to it.
RANGES = {"vfi": (0.0, 100.0), "md": (-33.0, 3.0), "psd": (0.0, 20.0)}
# What they are scaled to: it keeps a sigmoid off the ends where it has no slope.
LOW, HIGH = 0.1, 0.9

Array = TypeVar("Array")  # numpy or jax, the same in and out


def scale(values: Array) -> Array:
    """Visual fields as a network is taught them: linear from RANGES to 0.1..0.9.

    Args:
      values: (..., 3) floating, numpy or jax, in the order of INDICES and in UNITS; beyond RANGES
        they are clipped, NaN stays NaN.

    Returns:
      (..., 3) of the same kind and dtype, in 0.1..0.9.
    """
    low, span = _low_and_span(values)
    return LOW + (HIGH - LOW) * ((values - low) / span).clip(0.0, 1.0)


def unscale(values: Array) -> Array:
    """Inverse of `scale`, from a network's outputs to percent and dB.

    A sigmoid can leave 0.1..0.9 a little; what lies beyond is clipped, for a target is never there
    and a visual field index of 104 % does not exist.

    Args:
      values: (..., 3) floating, numpy or jax, in the order of INDICES.

    Returns:
      (..., 3) of the same kind and dtype, within RANGES.
    """
    low, span = _low_and_span(values)
    return low + span * ((values - LOW) / (HIGH - LOW)).clip(0.0, 1.0)


def _low_and_span(values: Array) -> tuple[np.ndarray, np.ndarray]:
    """Lower ends and widths of RANGES, with the rank and dtype of `values`."""
    ranges = np.array([RANGES[name] for name in INDICES], values.dtype)
    shape = (1,) * (values.ndim - 1) + (len(INDICES),)
    return ranges[:, 0].reshape(shape), (ranges[:, 1] - ranges[:, 0]).reshape(shape)
