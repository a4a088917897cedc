"""Which IMO network a file holds, from the shapes of its arrays."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from imo_jax.models.imo import IMOConfig
from imo_jax.weights import WeightsError, load_imo, read_state_dict, to_torch
from imo_jax.weights.imo import variable_shapes
from imo_jax.weights.imo_config import config_of, imo_of_file, stored_config
from imo_jax.weights.rules import nest

REFERENCE = pathlib.Path(__file__).parents[2] / "parity" / "imo_small.npz"
UNTOLD = {"norm_groups": 8, "decoder_heads": 4}  # what the reference's arrays do not tell


@pytest.fixture(scope="module")
def state():
    return read_state_dict(REFERENCE)


@pytest.fixture
def file(state, tmp_path):
    """The reference's weights in a file that does not tell its config."""
    path = tmp_path / "authors.safetensors"
    save_file({name: np.ascontiguousarray(array) for name, array in state.items()}, path)
    return path


def state_of(config):
    """Zeros under the released names, of a network with this config."""
    shapes = variable_shapes(config)
    return to_torch(nest({path: np.zeros(s, np.float32) for path, s in shapes.items()}), config)


def test_the_released_network_is_known_from_its_shapes_alone():
    released = IMOConfig()
    assert config_of(state_of(released)) == released


@pytest.mark.parametrize(
    "changes",
    [
        {"use_oct": False},
        {"grade": False},
        {"segment": False},
        {"refine": "single"},
        {"shared_channel_attention": False},
        {"oct_blocks": 3, "decoder_layers": 2, "num_grades": 2, "backbone_depths": (1, 1, 2, 1)},
    ],
)
def test_variants_are_known_from_their_shapes(changes):
    config = dataclasses.replace(IMOConfig(), **changes)
    found = config_of(state_of(config))
    shapes = dict(variable_shapes(config).items())
    assert variable_shapes(found) == shapes
    for name, value in changes.items():
        assert getattr(found, name) == value


def test_what_the_arrays_cannot_tell_has_to_be_told(state):
    with pytest.raises(ValueError, match="norm_groups and decoder_heads"):
        config_of(state)
    assert config_of(state, **UNTOLD) == stored_config(REFERENCE)


def test_a_file_gives_config_and_variables(file, state):
    config, variables = imo_of_file(file, **UNTOLD)
    assert config == stored_config(REFERENCE)
    expected = load_imo(state, config)
    assert jax.tree.all(jax.tree.map(np.array_equal, variables, expected))
    assert imo_of_file(REFERENCE)[0] == config  # tells it itself


def test_what_does_not_fit_is_told_with_the_files_name(file, state, tmp_path):
    with pytest.raises(ValueError, match="authors.safetensors: .*norm_groups"):
        imo_of_file(file)
    with pytest.raises(ValueError, match="must be positive|divide"):
        imo_of_file(file, norm_groups=7, decoder_heads=4)
    other = tmp_path / "other.npz"
    np.savez(other, **{"fc.weight": np.zeros((2, 2), np.float32)})
    with pytest.raises(ValueError, match="other.npz: .*no whole IMO network"):
        imo_of_file(other)
    cut = tmp_path / "cut.npz"
    np.savez(cut, **{n: a for n, a in state.items() if "class_head.mlp.3" not in n})
    with pytest.raises(ValueError, match="cut.npz: .*lacks class_head.mlp.3.weight"):
        imo_of_file(cut, **UNTOLD)
    missing = tmp_path / "missing.npz"
    np.savez(missing, **{n: a for n, a in state.items() if n != "class_head.mlp.0.bias"})
    with pytest.raises(WeightsError, match="class_head.mlp.0.bias"):
        imo_of_file(missing, **UNTOLD)
