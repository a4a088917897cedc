"""Configs of graders: checks, defaults, sizes."""

import dataclasses

import pytest

from imo_jax.backbones.table import ENCODERS
from imo_jax.models.graders import SIZES, GraderConfig


def test_every_problem_is_listed():
    with pytest.raises(ValueError) as error:
        GraderConfig(
            network="vit", size="resnet50", num_grades=1, oct_slices=0, layout_size=8, dropout=1.0,
            drop_path=-0.1, dtype="float64",
        )  # fmt: skip
    for words in (
        "size is 'resnet50', vit has vit_b16, vit_s16, vit_l16, tiny",
        "num_grades is 1, must be at least 2",
        "oct_slices is 0, must be at least 1",
        "layout_size is 8, must be at least 16",
        "dropout is 1.0, must be in [0, 1)",
        "drop_path is -0.1, must be in [0, 1)",
        "dtype is 'float64', choose one of float32, bfloat16",
    ):
        assert words in str(error.value)
    with pytest.raises(ValueError, match="network is 'swin', choose one of resnet, convnext"):
        GraderConfig(network="swin")


@pytest.mark.parametrize(
    ("network", "encoder"), [("resnet", "resnet50"), ("efficientvit", "efficientvit_m5")]
)
def test_a_rate_that_would_do_nothing_is_refused(network, encoder):
    with pytest.raises(ValueError, match=f"drop_path is 0.1, but {encoder} has none"):
        GraderConfig(network=network, drop_path=0.1)


def test_any_encoder_may_stand_in():
    config = GraderConfig(encoder="efficientnet_lite0")
    assert config.backbone == ENCODERS["efficientnet_lite0"]
    with pytest.raises(ValueError, match="encoder is 'vgg', choose one of efficientnet_lite0"):
        GraderConfig(encoder="vgg")


def test_the_first_size_is_the_default_and_every_network_has_a_tiny_one():
    for network, sizes in SIZES.items():
        config = GraderConfig(network=network)
        assert config.size_name == next(iter(sizes)) != "tiny"
        assert config.backbone == GraderConfig(network=network, size=config.size_name).backbone
        assert "tiny" in sizes
        assert set(sizes.values()) <= ENCODERS.keys()


def test_drop_path_is_the_networks_own_where_none_is_given():
    encoder = GraderConfig(network="vit").backbone
    assert encoder.module().drop_path == 0.1
    assert encoder.module(drop_path=0.0).drop_path == 0.0
    assert GraderConfig(network="resnet").backbone.drop_path is None


def test_a_config_hashes_and_describes_its_fields():
    assert hash(GraderConfig()) == hash(GraderConfig())
    for field in dataclasses.fields(GraderConfig):
        assert field.metadata["help"], field.name
