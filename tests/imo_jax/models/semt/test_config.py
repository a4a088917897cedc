"""SemtConfig: checks, sizes, what a network takes."""

import dataclasses
import json

import jax.numpy as jnp
import pytest

from imo_jax.models.semt import NETWORKS, SIZES, SemtConfig


def test_every_problem_is_listed_at_once():
    with pytest.raises(ValueError) as error:
        SemtConfig(
            network="vit", stage_sizes=(), width=0, stem="big", regression_width=0,
            regression_branches=2, cnn_width=-1, dtype="float16",
        )  # fmt: skip
    for field in dataclasses.fields(SemtConfig):
        assert field.name in str(error.value)
    assert "multi_task, resnet, resnet3d, cnn3d" in str(error.value)  # the choices are told


def test_a_stage_without_blocks():
    with pytest.raises(ValueError, match="stage_sizes"):
        SemtConfig(stage_sizes=(2, 0, 2))


def test_every_field_has_a_help_text():
    assert all(field.metadata["help"] for field in dataclasses.fields(SemtConfig))


def test_a_config_is_a_dictionary_key_and_survives_json():
    config = SemtConfig(stage_sizes=[1, 2], dtype="bfloat16")
    assert {config: 1}[dataclasses.replace(config)] == 1
    assert SemtConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
    assert config.compute_dtype == jnp.bfloat16


def test_each_network_takes_scans_or_cubes():
    configs = {name: SemtConfig(network=name) for name in NETWORKS}
    assert {name: config.input for name, config in configs.items()} == {
        "multi_task": "scan", "resnet": "scan", "resnet3d": "cube", "cnn3d": "cube",
    }  # fmt: skip
    assert [name for name, config in configs.items() if config.regresses] == ["multi_task"]


def test_the_paper_is_the_default_size():
    assert SIZES["resnet18"] == SemtConfig()
