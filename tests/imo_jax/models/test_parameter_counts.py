"""Exact parameter counts of the paper's network, block by block; nothing is computed."""

import math

import pytest

from imo_jax.models.imo import IMOConfig
from imo_jax.weights.imo import variable_shapes


def count(prefix="", **options):
    """Learned values under a path, of the full size with some options changed."""
    wanted = prefix.split("/") if prefix else []
    return sum(
        math.prod(shape)
        for (collection, *path), shape in variable_shapes(IMOConfig(**options)).items()
        if collection == "params" and path[: len(wanted)] == wanted
    )


def test_the_whole_network():
    assert count() == 36_103_992


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("fundus_encoder/backbone", 27_821_472),
        ("fundus_encoder/pyramid", 370_688 + 2_361_344),
        ("fundus_encoder/merge", 262_656),
        ("oct_encoder", 307_840),
        ("cmfa", 73_826),
        ("grading_head", 81_547),
        ("label_embedding", 1_024),
        ("fusion", 131_328),
        ("noise_level/embedding", 1_068_040),
        ("noise_level/film_0", 524_800),
        ("decoder/layer0/attention", 156_256),
        ("decoder/layer0/expand", 256 * 1024 + 1024),
        ("decoder/layer0/contract", 1024 * 256 + 256),
        ("decoder/layer0/attention_norm", 512),
        ("decoder/layer0/mlp_norm", 512),
        ("decoder/head", 1_283),
    ],
)
def test_each_block(block, expected):
    assert count(block) == expected


def test_the_three_decoder_layers_with_their_modulation():
    layers = count("decoder") - count("decoder/head")
    film = count("noise_level") - count("noise_level/embedding")
    assert layers + film == 3_622_944 == 3 * 1_207_648


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"shared_channel_attention": False}, 8_192),
        ({"auxiliary_head": True}, 591_619),
        ({"use_oct": False}, -307_840),
        ({"use_oct": False, "shared_channel_attention": False}, -307_840),
        ({"grade": False}, -81_547),
        # Two channel weights and a 7x7x2 kernel less, 256 x 256 of the 1x1 more.
        ({"cmfa": "concat"}, -8_192 - 98 + 65_536),
        # Without diffusion: embedding table, fusion, time MLP and three modulations less.
        ({"refine": "single"}, -1_024 - 131_328 - 1_068_040 - 3 * 524_800),
    ],
    ids=str,
)
def test_options_change_the_count_by_what_they_add(options, more):
    assert count(**options) == 36_103_992 + more
