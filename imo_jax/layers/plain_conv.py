"""Convolution as XLA has it, and how its kernel moves: what the quicker forms stand in for, and fall back on."""

from typing import NamedTuple

import jax

Padding = tuple[tuple[int, int], ...]
DIMENSIONS = {2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


class Window(NamedTuple):
    """How a kernel moves over its input: see the arguments of `layers.convolution.conv`."""

    stride: int
    dilation: int
    padding: Padding


def plain_conv(window: Window, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As XLA's convolution; arguments as `layers.convolution.conv`."""
    axes = kernel.ndim - 2
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(window.stride,) * axes,
        padding=window.padding,
        rhs_dilation=(window.dilation,) * axes,
        dimension_numbers=DIMENSIONS[axes],
    )
