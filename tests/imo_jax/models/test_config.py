"""IMOConfig: checks, JSON, sizes."""

import dataclasses

import jax.numpy as jnp
import pytest

from imo_jax.models.imo import SIZES, IMOConfig


def test_every_problem_is_listed_at_once():
    with pytest.raises(ValueError) as error:
        IMOConfig(
            num_classes=1, num_grades=0, backbone_depths=(1, 2), drop_path=1.0, signal_scale=0.0,
            time_difference=-1, start_time=0.0, segment=False, grade=False, cmfa="add",
            refine="ddpm", label_embedding="soft", dtype="float16", sampling_steps=0,
        )  # fmt: skip
    for name in (
        "num_classes", "num_grades", "backbone_depths", "drop_path", "signal_scale",
        "time_difference", "start_time", "nothing is left to predict", "cmfa", "refine",
        "label_embedding", "dtype", "sampling_steps",
    ):  # fmt: skip
        assert name in str(error.value)
    assert "attention, concat" in str(error.value)  # the choices are told


@pytest.mark.parametrize(
    "options",
    [
        {"norm_groups": 24},
        {"decoder_heads": 3},
        {"feature_dim": 7, "norm_groups": 7, "decoder_heads": 7, "channel_attention_reduction": 1},
        {"channel_attention_reduction": 257},
        {"se_reduction": 129},
        {"backbone_widths": (8, 0, 8, 8)},
        {"start_time": 1.5},
    ],
    ids=str,
)
def test_values_that_do_not_go_together(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        IMOConfig(**options)


def test_a_config_is_a_dictionary_key_and_knows_its_dtype():
    config = IMOConfig(backbone_depths=[3, 3, 9, 3], dtype="bfloat16")
    assert {config: 1}[dataclasses.replace(config)] == 1
    assert config.compute_dtype == jnp.bfloat16
    assert config.ignore_index == 3


def test_the_paper_is_the_default_size():
    assert SIZES["convnext_tiny"] == IMOConfig()
