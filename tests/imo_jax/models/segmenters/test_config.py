"""SegmenterConfig: checks, defaults of sizes, rates."""

import dataclasses

import jax.numpy as jnp
import pytest

from imo_jax.models.segmenters import NETWORKS, SIZES, SegmenterConfig


def test_every_problem_is_listed_at_once():
    with pytest.raises(ValueError) as error:
        SegmenterConfig(
            network="deeplab", size="b2", num_classes=1, oct_slices=0, dropout=1.0, drop_path=-0.1,
            auxiliary=True, dtype="float16",
        )  # fmt: skip
    for part in (
        "size is 'b2', deeplab has resnet50, tiny", "num_classes", "oct_slices", "dropout is 1.0",
        "drop_path is -0.1", "no auxiliary head", "float32, bfloat16",
    ):  # fmt: skip
        assert part in str(error.value)


def test_an_unknown_network_is_told_the_known_ones():
    with pytest.raises(ValueError, match="unet, unetpp, deeplab, upernet, segformer, segnext"):
        SegmenterConfig(network="fcn")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "deeplab", "drop_path": 0.1}, "resnet50 has no residual blocks"),
        ({"network": "deeplab", "encoder": "vgg"}, "encoder is 'vgg', choose one of .*resnet50"),
        ({"network": "unetpp", "encoder": "resnet50"}, "unetpp has no encoder to choose"),
        ({"network": "unetpp", "drop_path": 0.1}, "unetpp has no encoder to choose"),
    ],
)
def test_settings_of_the_encoder_that_would_do_nothing(options, words):
    with pytest.raises(ValueError, match=words):
        SegmenterConfig(**options)
    SegmenterConfig(network="deeplab", encoder="convnext_tiny", drop_path=0.1)


def test_the_first_size_is_the_default():
    found = {network: SegmenterConfig(network=network).size_name for network in NETWORKS}
    assert found == {
        "unet": "resnet34", "unetpp": "standard", "deeplab": "resnet50", "upernet": "convnext_tiny",
        "segformer": "b2", "segnext": "b",
    }  # fmt: skip
    assert all("tiny" in SIZES[network] for network in NETWORKS)


def test_rates_are_the_size_s_unless_given():
    assert SegmenterConfig(network="segnext", size="l").sizes.drop_path == 0.3
    given = SegmenterConfig(network="segnext", size="l", drop_path=0.0, dropout=0.25).sizes
    assert (given.drop_path, given.dropout) == (0.0, 0.25)
    assert given.encoder == SIZES["segnext"]["l"].encoder


def test_a_config_is_a_dictionary_key_and_knows_its_dtype():
    config = SegmenterConfig(dtype="bfloat16")
    assert {config: 1}[dataclasses.replace(config)] == 1
    assert config.compute_dtype == jnp.bfloat16


def test_flags_can_be_made_of_every_field():
    for field in dataclasses.fields(SegmenterConfig):
        assert field.metadata["help"]
