"""Pretrained backbones into networks, from files under every naming of every family."""

import dataclasses
import functools
import re

import jax
import numpy as np
import pytest

from imo_jax import weights
from imo_jax.backbones.convnext import ConvNeXt
from imo_jax.models.graders import Grader, GraderConfig
from imo_jax.models.imo import SIZES
from imo_jax.weights.beit import TABLE
from imo_jax.weights.family import take
from imo_jax.weights.imo import variable_shapes
from imo_jax.weights.pretrained import load_pretrained
from imo_jax.weights.recognise import FAMILIES, recognise
from imo_jax.weights.rules import flatten, nest

NETWORKS = {"ResNet": "resnet", "ConvNeXt": "convnext", "ViT": "vit", "BEiT": "beit"}
NETWORKS |= {"EfficientViT": "efficientvit", "EfficientNet-Lite": "efficientnet_lite"}
FAMILY = {
    network: next(f for f in FAMILIES if f.name == name) for name, network in NETWORKS.items()
}
CASES = [(network, naming) for network, family in FAMILY.items() for naming in family.namings]


@pytest.fixture
def load(tmp_path):
    """Loads a state dict through a file."""

    def through_file(state, variables, at=("backbone",)):
        path = tmp_path / "weights.npz"
        np.savez(path, **state)
        return load_pretrained(path, variables, at)

    return through_file


def assert_equal(one, other):
    one, other = flatten(one), flatten(other)
    assert one.keys() == other.keys()
    for path in one:
        np.testing.assert_array_equal(one[path], other[path], err_msg=str(path))


@pytest.mark.parametrize(("network", "naming"), CASES)
def test_every_naming_fills_the_backbone_and_nothing_else(network, naming, draw, load):
    theirs, ours = draw(network, seed=1), draw(network)
    state = take(theirs, FAMILY[network], naming)
    found = recognise(state)
    assert (found.family.name, found.naming) == (FAMILY[network].name, naming)
    loaded, line = load(state, ours)
    assert_equal(loaded, nest(flatten(ours) | backbone(theirs)))
    arrays = len(backbone(theirs))
    assert f"under {naming} names: {arrays} arrays; ignored: nothing; fresh: head" in line


def backbone(variables):
    return {path: leaf for path, leaf in flatten(variables).items() if path[1] == "backbone"}


@pytest.mark.parametrize(
    ("network", "head"),
    [
        ("resnet", ["fc.weight", "fc.bias", "bn1.num_batches_tracked"]),
        ("vit", ["head.weight", "head.bias", "pre_logits.fc.weight"]),
        ("beit", ["head.weight", "mask_token", "blocks.0.attn.relative_position_index"]),
        ("efficientvit", ["head.linear.weight"]),
        ("convnext", ["head.fc.weight", "head.fc.bias"]),
    ],
)
def test_what_a_file_has_beside_the_backbone_is_named(network, head, draw, load):
    state = take(
        draw(network, seed=1), FAMILY[network], ["timm", "torchvision"][network == "resnet"]
    )
    _, line = load(state | {name: np.zeros((9, 3)) for name in head}, draw(network))
    ignored = re.search(r"ignored: (.*?);", line)[1].split(", ")
    words = {
        "num_batches_tracked": "1 batch counters",
        "relative_position_index": "1 tables of indices",
    }
    assert ignored == [words.get(name.rpartition(".")[2], name) for name in head]


def test_names_and_layouts_by_hand(draw):
    """One entry of each sort: the name in the library, PyTorch's layout, where it is here."""
    for network, naming, name, path, layout in [
        ("convnext", "torchvision", "features.0.0.weight", "stem_conv/kernel", (3, 2, 0, 1)),
        ("convnext", "torchvision", "features.5.1.block.5.weight", "stage2_block1/contract/kernel",
         (1, 0)),
        ("convnext", "torchvision", "features.6.1.weight", "downsample3_conv/kernel", (3, 2, 0, 1)),
        ("convnext", "timm", "stages.2.blocks.1.mlp.fc1.weight", "stage2_block1/expand/kernel",
         (1, 0)),
        ("convnext", "timm", "stages.3.downsample.0.weight", "downsample3_norm/scale", (0,)),
        ("convnext", "timm", "head.norm.bias", "final_norm/bias", (0,)),
        ("convnext", "huggingface", "encoder.stages.0.layers.0.layer_scale_parameter",
         "stage0_block0/layer_scale", (0,)),
        ("convnext", "original", "stages.2.1.pwconv2.bias", "stage2_block1/contract/bias", (0,)),
        ("vit", "timm", "blocks.3.attn.qkv.weight", "block3/attention/qkv/kernel", (1, 0)),
        ("vit", "torchvision", "encoder.layers.encoder_layer_2.self_attention.in_proj_weight",
         "block2/attention/qkv/kernel", (1, 0)),
        ("vit", "torchvision", "encoder.layers.encoder_layer_2.mlp.3.weight",
         "block2/contract/kernel", (1, 0)),
        ("vit", "huggingface", "encoder.layer.1.attention.output.dense.weight",
         "block1/attention/output/kernel", (1, 0)),
        ("beit", "timm", "blocks.3.attn.v_bias", "block3/attention/qkv/value_bias", (0,)),
        ("beit", "timm", "blocks.1.gamma_2", "block1/mlp_layer_scale", (0,)),
        ("beit", "huggingface", "encoder.layer.3.lambda_1", "block3/attention_layer_scale", (0,)),
        ("efficientvit", "timm", "patch_embed.conv2.conv.weight", "stem1/conv/kernel",
         (3, 2, 0, 1)),
        ("efficientvit", "timm", "stages.1.downsample.res2.1.m.pw1.bn.weight",
         "downsample1/mlp_after/expand/norm/scale", (0,)),
        ("efficientvit", "original", "blocks3.3.ffn1.m.pw2.bn.bias",
         "stage2_block0/mlp1/contract/norm/bias", (0,)),
        ("efficientvit", "original", "blocks2.1.se.fc2.bias",
         "downsample1/squeeze_excite/excite/bias", (0,)),
    ]:  # fmt: skip
        variables = draw(network)
        ours = flatten(variables["params"]["backbone"])[tuple(path.split("/"))]
        state = take(variables, FAMILY[network], naming)
        np.testing.assert_array_equal(state[name], ours.transpose(layout), err_msg=name)


def test_queries_keys_and_values_are_one_matrix(draw):
    state = take(draw("vit"), FAMILY["vit"], "huggingface")
    kernel = draw("vit")["params"]["backbone"]["block0"]["attention"]["qkv"]["kernel"]
    for i, part in enumerate(("query", "key", "value")):
        np.testing.assert_array_equal(
            state[f"encoder.layer.0.attention.attention.{part}.weight"],
            kernel[:, 96 * i : 96 * (i + 1)].T,
        )


@pytest.mark.parametrize(
    ("network", "naming", "renamed"),
    [
        # What transformers 5 has in memory, and what older files of torchvision hold.
        ("vit", "huggingface", {
            "encoder.layer.": "layers.", "attention.attention.query": "attention.q_proj",
            "attention.attention.key": "attention.k_proj",
            "attention.attention.value": "attention.v_proj",
            "attention.output.dense": "attention.o_proj", "intermediate.dense": "mlp.fc1",
            "output.dense": "mlp.fc2",
        }),
        ("vit", "torchvision", {".mlp.0.": ".mlp.linear_1.", ".mlp.3.": ".mlp.linear_2."}),
        ("convnext", "original", {".dwconv.": ".depthwise_conv.", ".pwconv": ".pointwise_conv"}),
    ],
)  # fmt: skip
def test_other_versions_names(network, naming, renamed, draw, load):
    state = take(draw(network, seed=1), FAMILY[network], naming)
    other = {}
    for name, array in state.items():
        for ours, theirs in renamed.items():
            name = name.replace(ours, theirs)
        other[name] = array
    assert not other.keys() & {n for n in state if any(part in n for part in renamed)}
    assert_equal(load(other, draw(network))[0], load(state, draw(network))[0])


def test_imo_keeps_its_stage_norms(load):
    config = dataclasses.replace(SIZES["tiny"], encoder=None)
    shapes = variable_shapes(config)
    imo = nest({path: np.full(shape, 7, np.float32) for path, shape in shapes.items()})
    rng = np.random.default_rng(0)
    encoder = ConvNeXt(config.backbone_depths, config.backbone_widths, variant="classifier")
    state = take({"params": random(encoder, rng)}, FAMILY["convnext"], "timm", ())
    at = ("fundus_encoder", "backbone")
    loaded, line = load(state | {"head.fc.weight": np.zeros((9, 128))}, imo, at)
    found = loaded["params"]["fundus_encoder"]["backbone"]
    np.testing.assert_array_equal(
        found["stage2_block1"]["layer_scale"], state["stages.2.blocks.1.gamma"]
    )
    for path, array in flatten(loaded).items():
        stays = path[1:3] != at or re.fullmatch(r"norm\d", path[3])
        assert bool(np.all(array == 7)) == bool(stays), path
    assert line.startswith("convnext_mini under timm")
    assert "ignored: head.norm.bias, head.norm.weight, head.fc.weight;" in line
    assert "fundus_encoder/backbone/norm0" in line and "fundus_encoder/merge" in line
    assert "label_embedding" in line and "oct_encoder" in line


def random(module, rng):
    image = np.zeros((1, 64, 64, 3), np.float32)
    shapes = jax.eval_shape(module.init, jax.random.key(0), image)["params"]
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), dict(shapes))


# EfficientNet-Lite has a normalisation of its own, of red, green and blue.
@pytest.mark.parametrize("network", sorted(FAMILY.keys() - {"efficientnet_lite"}))
def test_input_channels_share_the_sum(network, draw, load):
    state = take(draw(network, seed=1), FAMILY[network], next(iter(FAMILY[network].namings)))
    loaded, line = load(state, draw(network, channels=5))
    stem = FAMILY[network].stem
    found = flatten(loaded)[(stem[0], "backbone", *stem[1:])]
    before = flatten(draw(network, seed=1))[(stem[0], "backbone", *stem[1:])]
    np.testing.assert_allclose(found, np.repeat(before.sum(2, keepdims=True) / 5, 5, 2), rtol=1e-5)
    assert "input channels spread from 3 to 5" in line


def test_position_embeddings_are_resized(draw, load):
    state = take(draw("vit", seed=1), FAMILY["vit"], "timm")
    loaded, line = load(state, draw("vit", layout_size=96))
    table = loaded["params"]["backbone"]["position"]["embedding"]
    assert table.shape == (1 + 6 * 6, 96)
    np.testing.assert_array_equal(table[0], state["pos_embed"][0, 0])
    assert "positions resized in 1 arrays" in line
    constant = state | {"pos_embed": np.full((1, 17, 96), 3, np.float32)}
    table = load(constant, draw("vit", layout_size=96))[0]["params"]["backbone"]["position"]
    np.testing.assert_allclose(table["embedding"], 3, rtol=1e-5)


@pytest.mark.parametrize(
    ("network", "name", "path", "before", "after"),
    [
        ("beit", f"blocks.2.attn.{TABLE}", ("block2_relative_position", "bias"), 7, 11),
        ("efficientvit", "stages.0.blocks.0.mixer.m.attn.attention_biases",
         ("stage0_block0", "windows", "attention", "bias"), 4, 6),
    ],
)  # fmt: skip
def test_relative_positions_are_resized(network, name, path, before, after, draw, load):
    """A bias that grows linearly with the distance still does, and is zero at no distance."""
    state = take(draw(network, seed=1), FAMILY[network], "timm")
    if network == "beit":
        plane = np.add.outer(np.arange(7) - 3, 0 * np.arange(7)).ravel()
        state[name] = np.repeat(np.append(plane, [20, 30, 40])[:, None], 3, 1).astype(np.float32)
    else:
        state[name] = np.repeat(np.add.outer(np.arange(4), 0 * np.arange(4)).reshape(1, -1), 2, 0)
    loaded, line = load(state, draw(network, layout_size=96))
    table = loaded["params"]["backbone"]
    for part in path:
        table = table[part]
    assert re.search(r"positions resized in \d arrays", line)
    if network == "beit":
        np.testing.assert_array_equal(table[-3:, 0], [20, 30, 40])
        plane = table[:-3, 0].reshape(after, after)
        np.testing.assert_allclose(plane[after // 2], 0, atol=1e-6)
        np.testing.assert_allclose(plane, -plane[::-1], atol=1e-5)
        step = np.diff(plane[2:-2, 0])
    else:
        plane = table[0].reshape(after, after)
        np.testing.assert_allclose(plane[0], 0, atol=1e-6)
        step = np.diff(plane[:-1, 0])
    np.testing.assert_allclose(step, step[0], rtol=1e-4)
    assert step[0] > 0


@pytest.mark.parametrize(
    ("naming", "shared"),
    [
        ("timm", f"rel_pos_bias.{TABLE}"),
        ("huggingface", f"encoder.relative_position_bias.{TABLE}"),
    ],
)
def test_a_table_shared_by_all_blocks_is_given_to_each(naming, shared, draw, load):
    state = take(draw("beit", seed=1), FAMILY["beit"], naming)
    tables = [name for name in state if name.endswith(TABLE)]
    common = {shared: state[tables[0]]}
    state = {name: array for name, array in state.items() if name not in tables} | common
    loaded = load(state, draw("beit"))[0]["params"]["backbone"]
    for i in range(4):
        np.testing.assert_array_equal(loaded[f"block{i}_relative_position"]["bias"], common[shared])


def test_a_file_without_the_last_norm_leaves_it_fresh(draw, load):
    state = take(draw("beit", seed=1), FAMILY["beit"], "timm")
    state = {name.replace("fc_norm", "norm"): array for name, array in state.items()}
    loaded, line = load(state, draw("beit"))
    assert "ignored: norm.bias, norm.weight; fresh: backbone/final_norm, head" in line
    ours = draw("beit")["params"]["backbone"]["final_norm"]
    assert_equal(loaded["params"]["backbone"]["final_norm"], ours)


def test_everything_that_does_not_fit_is_listed(draw, load):
    state = take(draw("vit", seed=1), FAMILY["vit"], "huggingface")
    del state["encoder.layer.2.attention.attention.key.bias"], state["embeddings.cls_token"]
    state |= {"encoder.layer.1.adapter.weight": np.zeros(3)}
    state["encoder.layer.0.layernorm_before.bias"] = np.zeros(5)
    with pytest.raises(weights.WeightsError) as error:
        load(state, draw("vit"))
    name = "encoder.layer.2.attention.attention.{}.bias"
    assert set(error.value.problems) == {
        "missing: embeddings.cls_token",
        "missing: " + " & ".join(name.format(part) for part in ("query", "key", "value")),
        f"unmatched: {name.format('query')}",
        f"unmatched: {name.format('value')}",
        "unmatched: encoder.layer.1.adapter.weight",
        "misshapen: encoder.layer.0.layernorm_before.bias is (5,), the model has (96,)",
    }
    assert "weights.npz: 6 weights do not fit" in str(error.value)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("convnext", "convnext_tiny that begins with 96 channels by 4 x 4"),
        ("vit", "vit_s16 that begins with 384 channels by 16 x 16"),
        ("beit", "beitv2_b16 that begins with 768 channels by 16 x 16"),
        ("efficientvit", "efficientvit_m0 that begins with 8 channels by 3 x 3"),
        ("resnet", "resnet50 that begins with 64 channels by 7 x 7"),
        ("efficientnet_lite", "efficientnet_lite1 that begins with 32 channels by 3 x 3"),
    ],
)
def test_another_size_is_told_in_one_line(network, words, draw, load):
    state = take(draw(network), FAMILY[network], next(iter(FAMILY[network].namings)))
    shapes = draw_shapes(network, words.split()[0])
    with pytest.raises(weights.WeightsError, match=f"the network has a {words}") as error:
        load(state, shapes)
    assert len(error.value.problems) == 1


def draw_shapes(network, size):
    """Variables of the real size that hold no memory."""
    by_name = network == "efficientnet_lite"
    config = GraderConfig(encoder=size) if by_name else GraderConfig(network, size)
    init = functools.partial(Grader(config).init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), np.zeros((1, 64, 64, 3), np.float32))
    return jax.tree.map(lambda s: np.broadcast_to(np.float32(0), s.shape), dict(shapes))


def test_another_family_is_told_in_one_line(draw, load):
    state = take(draw("convnext"), FAMILY["convnext"], "timm")
    with pytest.raises(weights.WeightsError, match="holds a ConvNeXt, the network has a ViT"):
        load(state, draw("vit"))
    with pytest.raises(ValueError, match="the network has no .*ViT.* at head"):
        load(state, draw("vit"), ("head",))


def test_other_files_are_refused(draw, load):
    with pytest.raises(
        weights.WeightsError, match=r"weights\.npz: not the names of a ResNet.*a\.b"
    ):
        load({"a.b": np.zeros(3)}, draw("vit"))
    with pytest.raises(weights.WeightsError, match="whole IMO"):
        load({"CMFA.fc.0.weight": np.zeros((3, 3))}, draw("vit"))
