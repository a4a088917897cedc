"""Exact parameter counts; nothing is computed."""

import jax
import pytest

from imo_jax.models.segmenters import SegmenterConfig


def count(shapes_of, **options):
    _, variables = shapes_of(SegmenterConfig(**options))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def conv_bn(inputs, outputs, size=1):
    return size * size * inputs * outputs + 2 * outputs


def separable(inputs, outputs):
    return 9 * inputs + conv_bn(inputs, outputs)


def test_unet_is_that_of_segmentation_models_pytorch(shapes_of):
    """Its Unet("resnet34", classes=3) has 24,436,659: 21,284,672 in the encoder."""
    assert count(shapes_of, network="unet") == 24_436_659
    heads = count(shapes_of, network="unet", auxiliary=True) - 24_436_659
    assert heads == (64 * 9 + 1) * 3 + (128 * 9 + 1) * 3


def test_unetpp_is_the_sum_of_its_nodes(shapes_of):
    widths = (32, 64, 128, 256, 512)
    expected = 3 * (32 + 1)
    for row, width in enumerate(widths):
        for column in range(5 - row):
            above = 3 if row == 0 else widths[row - 1]
            seen = above if column == 0 else column * width + widths[row + 1]
            expected += conv_bn(seen, width, 3) + conv_bn(width, width, 3)
    assert count(shapes_of, network="unetpp") == expected
    assert round(expected / 1e6, 2) == 9.16
    heads = count(shapes_of, network="unetpp", auxiliary=True) - expected
    assert heads == 3 * 3 * (32 + 1)


def test_deeplab_is_the_sum_of_its_layers(shapes_of):
    resnet50 = 25_557_032 - 2_049_000
    aspp = conv_bn(2048, 256) + 3 * separable(2048, 256) + conv_bn(2048, 256)
    decoder = conv_bn(5 * 256, 256) + separable(256, 256) + conv_bn(256, 48)
    decoder += separable(256 + 48, 256) + 3 * (256 + 1)
    assert count(shapes_of, network="deeplab") == resnet50 + aspp + decoder
    assert round((resnet50 + aspp + decoder) / 1e6, 2) == 26.68


@pytest.mark.parametrize(
    ("options", "expected"),
    # What transformers' networks have (see tests/parity/test_segmenters.py).
    [
        ({"network": "upernet"}, 59_243_427),
        slow({"network": "upernet", "auxiliary": True}, 60_129_446),
        slow({"network": "upernet", "size": "convnext_tiny_256"}, 37_044_387),
        ({"network": "segformer", "size": "b0"}, 3_714_915),
        ({"network": "segformer"}, 27_348_931),
        slow({"network": "segformer", "size": "b2_256"}, 24_722_883),
        slow({"network": "segformer", "size": "b5_256"}, 81_969_603),
        slow({"network": "segformer", "size": "b5"}, 84_595_651),
    ],
    ids=str,
)
def test_counts_of_transformers(shapes_of, options, expected):
    assert count(shapes_of, **options) == expected


@pytest.mark.parametrize(
    ("size", "millions"),
    # Guo et al. 2022, table 3 (150 classes)
    [
        ("t", 4.3),
        slow("s", 13.9),
        slow("b", 27.6),
        slow("l", 48.9),
    ],
)
def test_counts_of_segnext(shapes_of, size, millions):
    found = count(shapes_of, network="segnext", size=size, num_classes=150)
    assert round(found / 1e6, 1) == millions


def test_the_second_stem_is_all_that_the_oct_adds(shapes_of):
    _, without = shapes_of(SegmenterConfig(network="segformer", size="tiny"))
    _, with_oct = shapes_of(SegmenterConfig(network="segformer", size="tiny", with_oct=True))
    assert set(with_oct["params"]) - set(without["params"]) == {"oct_stem"}
    assert with_oct["params"]["oct_stem"]["block"]["depthwise"]["kernel"].shape == (3, 3, 128)
