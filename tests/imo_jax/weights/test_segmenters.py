"""Weights of segmenters and of their encoders: both directions, what is ignored or fresh, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.models.segmenters import SegmenterConfig, network
from imo_jax.weights.family import put, take
from imo_jax.weights.mit import MIT
from imo_jax.weights.mscan import MSCAN
from imo_jax.weights.recognise import FAMILIES, recognise
from imo_jax.weights.rules import WeightsError, flatten
from imo_jax.weights.segmenters import SEGMENTERS, load_segmenter

CASES = [(name, naming) for name, family in SEGMENTERS.items() for naming in family.namings]


@functools.cache
def shapes(options):
    """Shapes of a tiny network's variables."""
    config = SegmenterConfig(**{"size": "tiny"} | dict(options))

    def init(key):
        volume = jnp.zeros((1, 8, 8, config.oct_slices)) if config.with_oct else None
        return network(config).init(key, jnp.zeros((1, 64, 64, 3)), volume, train=False)

    return dict(jax.eval_shape(init, jax.random.key(0)))


def drawn(seed, **options):
    """Random variables of a tiny network, without a compilation."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32),
        shapes(tuple(sorted(options.items()))),
    )


@pytest.fixture(scope="module")
def segformer():
    return drawn(0, network="segformer")


@pytest.fixture(scope="module")
def segnext():
    return drawn(0, network="segnext")


def load_backbone(state, variables):
    return put(recognise(state), variables, ("backbone",), FAMILIES)


def assert_equal(one, other):
    one, other = flatten(one), flatten(other)
    assert one.keys() == other.keys()
    for path, array in one.items():
        np.testing.assert_array_equal(array, other[path], err_msg="/".join(path))


@pytest.mark.parametrize(("name", "naming"), CASES)
def test_there_and_back(name, naming):
    options = {"network": name} | ({"auxiliary": True} if name in ("unetpp", "upernet") else {})
    variables = drawn(0, **options)
    state = take(variables, SEGMENTERS[name], naming, at=())
    assert len(state) == len(flatten(variables))  # names are distinct, nothing is left out
    found, line = load_segmenter(state, drawn(1, **options))
    assert_equal(found, variables)
    assert f"under {naming} names: {len(state)} arrays; ignored: nothing; fresh: nothing" in line


# What transformers 5 has in memory, for what its files hold.
IN_MEMORY = {
    "encoder.patch_embeddings.2.proj": "stages.2.patch_embeddings.proj",
    "encoder.patch_embeddings.0.layer_norm": "stages.0.patch_embeddings.layer_norm",
    "encoder.layer_norm.3": "stages.3.layer_norm",
    "encoder.block.1.0.layer_norm_1": "stages.1.blocks.0.layernorm_before",
    "encoder.block.1.0.layer_norm_2": "stages.1.blocks.0.layernorm_after",
    "encoder.block.1.0.attention.self.query": "stages.1.blocks.0.attention.q_proj",
    "encoder.block.1.0.attention.self.key": "stages.1.blocks.0.attention.k_proj",
    "encoder.block.1.0.attention.self.value": "stages.1.blocks.0.attention.v_proj",
    "encoder.block.1.0.attention.output.dense": "stages.1.blocks.0.attention.o_proj",
    "encoder.block.1.0.attention.self.sr":
        "stages.1.blocks.0.attention.sequence_reduction.sequence_reduction",
    "encoder.block.1.0.attention.self.layer_norm":
        "stages.1.blocks.0.attention.sequence_reduction.layer_norm",
    "encoder.block.1.0.mlp.dense1": "stages.1.blocks.0.mlp.fc1",
    "encoder.block.1.0.mlp.dense2": "stages.1.blocks.0.mlp.fc2",
}  # fmt: skip


def test_names_in_memory_are_those_of_the_files(segformer):
    state = take(segformer, SEGMENTERS["segformer"], "huggingface", at=())
    for file, memory in IN_MEMORY.items():
        for leaf in ("weight", "bias"):
            array = state.pop(f"segformer.{file}.{leaf}")
            state[f"segformer.{memory}.{leaf}"] = array
    projection = state.pop("decode_head.linear_c.0.proj.weight")
    state["decode_head.linear_projections.0.proj.weight"] = projection
    assert_equal(load_segmenter(state, drawn(1, network="segformer"))[0], segformer)


def test_keys_and_values_of_the_original_are_taken_apart(segformer):
    state = take(segformer, MIT, "original")
    for name in [name for name in state if ".attn.k." in name]:
        both = [state.pop(name), state.pop(name.replace(".k.", ".v."))]
        state[name.replace(".attn.k.", ".attn.kv.")] = np.concatenate(both)
    assert state["block2.0.attn.kv.weight"].shape == (96, 48)
    found, _ = load_backbone(state, drawn(1, network="segformer"))
    assert_equal(found["params"]["backbone"], segformer["params"]["backbone"])


def test_layouts_by_hand(segformer, segnext):
    flat = {"/".join(path[1:]): array for path, array in flatten(segformer).items()}
    state = take(segformer, SEGMENTERS["segformer"], "huggingface", at=())
    for name, path, layout in [
        ("segformer.encoder.patch_embeddings.1.proj.weight", "backbone/patches1/kernel",
         (3, 2, 0, 1)),
        ("segformer.encoder.block.2.0.attention.self.query.weight",
         "backbone/stage2_block0/attention/query/kernel", (1, 0)),
        ("segformer.encoder.layer_norm.3.weight", "backbone/norm3/scale", (0,)),
        ("decode_head.batch_norm.running_var", "head_norm/var", (0,)),
    ]:  # fmt: skip
        np.testing.assert_array_equal(state[name], flat[path].transpose(layout), err_msg=name)
    depthwise = flat["backbone/stage0_block0/depthwise/kernel"]
    np.testing.assert_array_equal(
        state["segformer.encoder.block.0.0.mlp.dwconv.dwconv.weight"],
        depthwise.transpose(2, 0, 1)[:, None],
    )
    fuse = flat["head/kernel"].T
    np.testing.assert_array_equal(state["decode_head.linear_fuse.weight"], fuse[:, :, None, None])

    gate = "block1.0.attn.spatial_gating_unit"
    names = take(segnext, MSCAN, "original")
    assert names[f"{gate}.conv1_1.weight"].shape == (24, 1, 1, 11)
    assert names[f"{gate}.conv2_2.weight"].shape == (24, 1, 21, 1)
    scale = segnext["params"]["backbone"]["stage3_block0"]["mlp_scale"]
    np.testing.assert_array_equal(names["block4.0.layer_scale_2"], scale)


@pytest.mark.parametrize("naming", ["huggingface", "original"])
def test_an_encoder_of_a_whole_file_leaves_all_else_as_it_is(segformer, naming):
    state = take(segformer, SEGMENTERS["segformer"], naming, at=())
    start = drawn(1, network="segformer", with_oct=True, oct_slices=4, num_classes=7)
    found, line = load_backbone(state, start)
    assert line.startswith(f"mit_mini under {naming} names")
    assert_equal(found["params"]["backbone"], segformer["params"]["backbone"])
    for part in ("head", "classifier", "oct_stem"):
        assert_equal(found["params"][part], start["params"][part])
    assert line.endswith("fresh: classifier, head, head_norm, oct_stem")


def test_an_encoder_alone_and_its_classifier(segnext):
    state = take(segnext, MSCAN, "original") | {"head.weight": np.zeros((1000, 96))}
    found, line = load_backbone(state, drawn(1, network="segnext"))
    assert_equal(found["params"]["backbone"], segnext["params"]["backbone"])
    assert line.startswith("mscan_mini under original names")
    assert "ignored: head.weight" in line


def test_the_later_names_of_segnext_are_known(segnext):
    state = {
        name.replace(".dwconv.dwconv.", ".dwconv."): array
        for name, array in take(segnext, SEGMENTERS["segnext"], "original", at=()).items()
    }
    assert_equal(load_segmenter(state, drawn(1, network="segnext"))[0], segnext)


def test_input_channels_are_spread(segformer):
    name = "segformer.encoder.patch_embeddings.0.proj.weight"
    state = take(segformer, SEGMENTERS["segformer"], "huggingface", at=())
    grey = state[name].sum(axis=1, keepdims=True)
    found, line = load_segmenter(state | {name: grey}, segformer)
    assert "input channels spread from 1 to 3" in line
    kernel = found["params"]["backbone"]["patches0"]["kernel"]
    np.testing.assert_allclose(kernel[:, :, 1], grey[:, 0].transpose(1, 2, 0) / 3, rtol=1e-6)


def test_everything_that_does_not_fit_is_listed_at_once(segformer):
    state = take(segformer, SEGMENTERS["segformer"], "huggingface", at=())
    del state["segformer.encoder.block.2.0.mlp.dense1.bias"]
    state["decode_head.extra"] = np.zeros(16)
    state["decode_head.classifier.bias"] = np.zeros(150)
    with pytest.raises(WeightsError) as error:
        load_segmenter(state, segformer)
    assert set(error.value.problems) == {
        "missing: segformer.encoder.block.2.0.mlp.dense1.bias",
        "misshapen: decode_head.classifier.bias is (150,), the model has (3,)",
        "unmatched: decode_head.extra",
    }


def test_another_size_is_one_line(segformer):
    state = take(segformer, SEGMENTERS["segformer"], "huggingface", at=())
    other = drawn(0, network="segformer", size="b0")
    with pytest.raises(WeightsError, match="holds a SegFormer on mit_mini .* has a .* mit_b0"):
        load_segmenter(state, other)


def test_heads_that_the_config_leaves_out_are_ignored():
    state = take(drawn(0, network="unetpp", auxiliary=True), SEGMENTERS["unetpp"], "monai", at=())
    _, line = load_segmenter(state, drawn(1, network="unetpp"))
    ignored = line.partition("ignored: ")[2].partition(";")[0]
    assert set(ignored.split(", ")) == {
        f"final_conv_0_{j}.{leaf}" for j in (1, 2, 3) for leaf in ("weight", "bias")
    }
    whole = drawn(0, network="upernet", auxiliary=True)
    state = take(whole, SEGMENTERS["upernet"], "huggingface", at=())
    _, line = load_segmenter(state, drawn(1, network="upernet", with_oct=True))
    assert "auxiliary_head (" in line.partition("fresh")[0]
    assert "oct_stem/out" in line.partition("fresh")[2]
