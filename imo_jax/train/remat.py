"""Rematerialisation: what lies inside a block is computed again for the gradient, not kept for it.

A training step then keeps the inputs of blocks alone (Chen et al. 2016, "Training deep nets with
sublinear memory cost"), and pays with a second forward pass. Gradients are the same but for rounding.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax

from imo_jax.backbones import efficientvit
from imo_jax.backbones.convnext import ConvNeXtBlock
from imo_jax.backbones.efficientnet_lite import MBConv
from imo_jax.backbones.mit import MiTBlock
from imo_jax.backbones.mscan import MSCANBlock
from imo_jax.backbones.resnet import ResNetBlock
from imo_jax.layers.attention import TransformerBlock
from imo_jax.layers.separable import SeparableBlock
from imo_jax.models.imo.decoder import DecoderLayer
from imo_jax.models.segmenters.conv_block import ConvBlock
from imo_jax.models.segmenters.enlarging_block import EnlargingBlock

# What encoders and decoders are made of; of blocks within blocks the outer ones count.
BLOCKS = (
    ConvNeXtBlock,
    MBConv,
    MiTBlock,
    MSCANBlock,
    ResNetBlock,
    efficientvit.Block,
    TransformerBlock,
    SeparableBlock,
    DecoderLayer,
    ConvBlock,
    EnlargingBlock,
)


# XLA:CPU takes away the barriers that part the second pass from the first, and then merges the two.
KEEP_BARRIERS = {"xla_disable_hlo_passes": "cse_barrier_expander"}


def compiler_options(wanted: bool) -> dict[str, str]:
    """What XLA must be told for blocks to be computed again, if wanted."""
    return KEEP_BARRIERS if wanted and jax.default_backend() == "cpu" else {}


@contextlib.contextmanager
def recomputed_blocks(wanted: bool) -> Iterator[None]:
    """Within, modules of BLOCKS that are applied are computed again for the gradient, if wanted."""
    if not wanted:
        yield
        return
    inside = False

    def recompute(call: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        nonlocal inside
        if inside or context.method_name != "__call__" or type(context.module) not in BLOCKS:
            return call(*args, **kwargs)
        inside = True
        try:
            return nn.remat(lambda block, *arrays: block(*arrays, **kwargs))(context.module, *args)
        finally:
            inside = False

    with nn.intercept_methods(recompute):
        yield
