"""Released names to Flax variables and back, and what is said of entries that do not fit."""

import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest

from imo_jax import weights
from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.weights.imo import variable_shapes
from imo_jax.weights.rules import flatten, nest

SMALL = IMOConfig(
    backbone_depths=(1, 1, 2, 1), backbone_widths=(8, 12, 16, 20), feature_dim=8, norm_groups=2,
    oct_slices=4, channel_attention_reduction=2, grade_hidden=8, se_reduction=4,
    decoder_layers=2, decoder_heads=2, decoder_mlp=12, time_frequencies=2, time_dim=10,
)  # fmt: skip
REFERENCE = pathlib.Path(__file__).parents[2] / "parity" / "imo_small.npz"


def random_variables(config, seed=0):
    rng = np.random.default_rng(seed)
    shapes = variable_shapes(config)
    return nest({path: rng.normal(size=s).astype(np.float32) for path, s in shapes.items()})


def assert_equal(one, other):
    one, other = flatten(one), flatten(other)
    assert one.keys() == other.keys()
    for path in one:
        np.testing.assert_array_equal(one[path], other[path], err_msg=str(path))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shared_channel_attention": False},
        {"auxiliary_head": True},
        {"use_oct": False},
        {"cmfa": "concat"},
        {"refine": "single"},
        {"grade": False},
        {"segment": False},
        {"oct_blocks": 2},
    ],
    ids=str,
)
def test_there_and_back_is_exact(options):
    config = dataclasses.replace(SMALL, **options)
    variables = random_variables(config)
    assert_equal(weights.load_imo(weights.to_torch(variables, config), config), variables)


def test_names_and_layouts_of_the_released_code():
    """A few entries by hand: the name, the PyTorch layout, and one value of each."""
    variables = random_variables(SMALL)
    state = weights.to_torch(variables, SMALL)
    flat = {"/".join(path): array for path, array in flatten(variables).items()}
    root = "params/fundus_encoder/backbone"
    for name, shape, ours in [
        (
            "backbone.downsample_layers.1.1.weight",
            (12, 8, 2, 2),
            flat[f"{root}/downsample1_conv/kernel"].transpose(3, 2, 0, 1),
        ),
        (
            "backbone.stages.0.0.depthwise_conv.weight",
            (8, 1, 7, 7),
            flat[f"{root}/stage0_block0/depthwise/kernel"].transpose(2, 0, 1)[:, None],
        ),
        (
            "backbone.stages.0.0.pointwise_conv1.weight",
            (32, 8),
            flat[f"{root}/stage0_block0/expand/kernel"].T,
        ),
        (
            "oct_encoder.encoder.1.1.bn.running_var",
            (8,),
            flat["batch_stats/oct_encoder/block2/norm/var"],
        ),
        ("embedding_table.weight", (4, 8), flat["params/label_embedding"]),
        ("transform.conv.weight", (8, 16, 1, 1), flat["params/fusion/kernel"].T[:, :, None, None]),
    ]:
        assert state[name].shape == shape
        np.testing.assert_array_equal(state[name], ours, err_msg=name)


def test_the_reference_file_gives_its_own_names_back():
    with np.load(REFERENCE) as file:
        config = IMOConfig(**json.loads(str(file["config"])))
    state = weights.read_state_dict(REFERENCE)
    again = weights.to_torch(weights.load_imo(state, config), config)
    assert again.keys() == state.keys()
    for name in state:
        np.testing.assert_array_equal(again[name], state[name], err_msg=name)


@pytest.mark.parametrize("prefix", ["module.", "param/", "model.", "module.model."])
def test_prefixes_before_all_names_are_removed(prefix):
    variables = random_variables(SMALL)
    state = weights.to_torch(variables, SMALL)
    wrapped = {prefix + name: array for name, array in state.items()}
    assert_equal(weights.load_imo(wrapped, SMALL), variables)


def test_everything_that_does_not_fit_is_listed_at_once():
    state = weights.to_torch(random_variables(SMALL), SMALL)
    del state["transform.conv.bias"], state["backbone.norm3.weight"]
    state["neck.extra.weight"] = np.zeros(3)
    state["CMFA.fc.0.weight"] = np.zeros((5, 8), np.float32)
    state["embedding_table.weight"] = state["embedding_table.weight"].T
    with pytest.raises(weights.WeightsError) as error:
        weights.load_imo(state, SMALL)
    assert set(error.value.problems) == {
        "missing: transform.conv.bias",
        "missing: backbone.norm3.weight",
        "unmatched: neck.extra.weight",
        "misshapen: CMFA.fc.0.weight is (5, 8), the model has (4, 8)",
        "misshapen: embedding_table.weight is (8, 4), the model has (4, 8)",
    }
    assert all(problem in str(error.value) for problem in error.value.problems)


def test_what_is_ignored_and_what_is_not():
    with_head = dataclasses.replace(SMALL, auxiliary_head=True)
    state = weights.to_torch(random_variables(with_head), with_head)
    state["oct_encoder.encoder.0.bn.num_batches_tracked"] = np.array(7)
    for config in (SMALL, with_head):
        weights.load_imo(state, config)
    # With a head in the model its entries count: none may be missing, none may be too many.
    with pytest.raises(weights.WeightsError, match="unmatched: auxiliary_head.extra"):
        weights.load_imo(state | {"auxiliary_head.extra": np.zeros(1)}, with_head)
    del state["auxiliary_head.conv_seg.pointwise.bias"]
    with pytest.raises(weights.WeightsError, match="missing: auxiliary_head.conv_seg"):
        weights.load_imo(state, with_head)


def test_a_shared_mlp_starts_both_modalities():
    separate = dataclasses.replace(SMALL, shared_channel_attention=False)
    state = weights.to_torch(random_variables(SMALL), SMALL)
    cmfa = weights.load_imo(state, separate)["params"]["cmfa"]
    assert_equal(cmfa["channel"], cmfa["channel_oct"])


def test_loaded_weights_change_what_the_network_computes():
    model = IMO(SMALL)
    encode = jax.jit(lambda v, f, o: model.apply(v, f, o, train=False, method="encode"))
    random = np.random.default_rng(0)
    fundus = random.normal(size=(1, 32, 32, 3)).astype(np.float32)
    volume = random.uniform(size=(1, 8, 8, 4)).astype(np.float32)
    variables = jax.tree.map(lambda a: 0.3 * np.abs(a), random_variables(SMALL))
    state = weights.to_torch(variables, SMALL)
    before = encode(weights.load_imo(state, SMALL), fundus, volume)
    # Not in place: the first call may still be reading that array.
    mean = "oct_encoder.encoder.2.1.bn.running_mean"
    state[mean] = state[mean] + 1
    after = encode(weights.load_imo(state, SMALL), fundus, volume)
    np.testing.assert_array_equal(before["fundus_feature"], after["fundus_feature"])
    assert np.abs(before["oct_feature"] - after["oct_feature"]).max() > 1e-3
