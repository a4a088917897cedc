"""Parameter counts as the libraries': exactly where one was run; nothing is computed."""

import jax
import pytest

from imo_jax.models.graders import SIZES, GraderConfig


def count(shapes, config, prefix=None):
    params = shapes(config)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(params[prefix] if prefix else params))


@pytest.mark.parametrize(
    ("network", "size", "expected"),
    [
        # transformers 5.23 with three classes
        ("resnet", "resnet50", 23_514_179),
        ("convnext", "convnext_tiny", 27_822_435),
        ("vit", "vit_b16", 85_800_963),
        ("beit", "beitv2_b16", 85_764_291),
    ],
)
def test_as_transformers(shapes, network, size, expected):
    assert count(shapes, GraderConfig(network, size)) == expected


@pytest.mark.parametrize(
    ("network", "size", "millions"),
    [
        # timm 1.0.29 with three classes
        ("vit", "vit_s16", 21.67),
        ("efficientvit", "efficientvit_m0", 2.16),
        *(
            pytest.param("efficientvit", f"efficientvit_{size}", millions, marks=pytest.mark.slow)
            for size, millions in (("m1", 2.79), ("m2", 3.96), ("m3", 6.58), ("m4", 8.42))
        ),
        ("efficientvit", "efficientvit_m5", 12.09),
    ],
)
def test_as_timm(shapes, network, size, millions):
    assert round(count(shapes, GraderConfig(network, size)) / 1e6, 2) == millions


@pytest.mark.parametrize("network", SIZES)
def test_what_the_second_stem_adds(shapes, tiny, network):
    without = count(shapes, tiny(network))
    config = tiny(network, with_oct=True, oct_slices=7, num_grades=5)
    # 3x3 depthwise, 1x1 to 64 with its norm, linear.
    added = 9 * 7 + 7 * 64 + 2 * 64 + 64 * config.backbone.stem
    assert count(shapes, config, "oct_stem") == added
    features = shapes(config)["params"]["head"]["kernel"].shape[0]
    assert count(shapes, config) == without + added + 2 * (features + 1)


@pytest.mark.parametrize(
    ("encoder", "expected"),
    # With the classifier of 1000 classes 4,652,008 and 5,416,680; 1,281,000 are its own.
    [("efficientnet_lite0", 4_652_008), ("efficientnet_lite1", 5_416_680)],
)
def test_efficientnet_lite(shapes, encoder, expected):
    config = GraderConfig(encoder=encoder, num_grades=5)
    assert count(shapes, config) == expected - 1_281_000 + 5 * 1281
