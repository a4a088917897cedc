"""Segmenters against transformers, MONAI and PyTorch at 1e-4, through files that these write.

python -m pytest -m parity tests/parity/test_segmenters.py
"""

import importlib.util
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax import weights
from imo_jax.backbones import convnext, mit, mscan
from imo_jax.layers import depthwise
from imo_jax.layers.resize import bilinear
from imo_jax.models.segmenters import SIZES, SegmenterConfig, network
from imo_jax.models.segmenters.deeplab import ASPP
from imo_jax.models.segmenters.nmf import random_bases
from imo_jax.weights.family import take
from imo_jax.weights.segmenters import SEGMENTERS, load_segmenter

pytestmark = pytest.mark.parity
FILLED = re.compile(r"ignored: (nothing|\d+ batch counters); fresh: nothing$")


@pytest.fixture(autouse=True)
def compiles_quickly(monkeypatch):
    """One operation for what tests/imo_jax/layers compare with the forms in use on CPU."""
    monkeypatch.setattr(depthwise, "depthwise_conv", depthwise.grouped_conv)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def randomise(torch, module):
    """Gives every parameter and statistic a value that keeps activations near 1, but matters."""
    rng = np.random.default_rng(0)
    for name, tensor in module.state_dict().items():
        shape = tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            values = rng.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            values = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        else:
            values = 0.3 * rng.normal(size=shape)
        tensor.copy_(torch.tensor(values, dtype=torch.float32))
    return module.eval()


def images(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def nchw(torch, x):
    return torch.tensor(np.moveaxis(x, -1, 1))


def nhwc(tensor):
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def initialised(config):
    """Random variables of a network without a compilation: what a file must replace."""
    fundus = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    init = network(config).init
    shapes = jax.eval_shape(lambda key, x: init(key, x, train=False), jax.random.key(0), fundus)
    rng = np.random.default_rng(2)

    def leaf(path, like):
        around = 1.0 if path[-1].key in ("var", "scale") else 0.0
        return (around + 0.02 * rng.normal(size=like.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(leaf, dict(shapes))


def outputs(config, variables, image):
    apply = jax.jit(lambda v, x: network(config).apply(v, x, train=False))
    return {name: np.asarray(value) for name, value in apply(variables, image).items()}


def saved(torch, tmp_path, module):
    """The state dict through a file."""
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    safetensors.save_file(
        {name: tensor.contiguous() for name, tensor in module.state_dict().items()}, path
    )
    return weights.read_state_dict(path)


def assert_loaded(config, variables, found, image, expected):
    """The file changes what the network computes to what PyTorch computes."""
    ours = outputs(config, found, image)
    before = outputs(config, variables, image)
    assert expected.keys() <= ours.keys()
    for name, value in expected.items():
        resized = np.asarray(bilinear(jnp.asarray(ours[name]), value.shape[1:3]))
        assert np.abs(value).max() > 0.1
        np.testing.assert_allclose(resized, value, atol=1e-4, err_msg=name)
        assert np.abs(before[name] - ours[name]).max() > 1e-2


def test_segformer(torch, tmp_path):
    transformers = pytest.importorskip("transformers")
    size = SIZES["segformer"]["b0"]
    encoder = mit.SIZES["b0"]
    theirs = transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig(
            num_labels=3,
            depths=list(encoder.depths),
            hidden_sizes=list(encoder.widths),
            num_attention_heads=list(encoder.heads),
            decoder_hidden_size=size.features,
        )
    )
    randomise(torch, theirs)
    config = SegmenterConfig(network="segformer", size="b0")
    variables = initialised(config)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert count == sum(p.numel() for p in theirs.parameters())

    theirs.save_pretrained(tmp_path / "hub")  # under the names of published files
    state = weights.read_state_dict(tmp_path / "hub" / "model.safetensors")
    found, line = load_segmenter(state, variables)
    assert FILLED.search(line)
    image = images(2, 64, 96, 3)
    assert_loaded(
        config, variables, found, image, {"logits": nhwc(theirs(nchw(torch, image)).logits)}
    )
    same, _ = load_segmenter(saved(torch, tmp_path, theirs), variables)  # names inside version 5
    for ours, again in zip(jax.tree.leaves(found), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(ours, again)
    written = take(found, SEGMENTERS["segformer"], "huggingface", at=())
    assert set(state) - set(written) == {"decode_head.batch_norm.num_batches_tracked"}
    for name, array in written.items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)


def test_upernet(torch, tmp_path):
    transformers = pytest.importorskip("transformers")
    config = SegmenterConfig(network="upernet", size="convnext_tiny_256", auxiliary=True)
    size, (depths, widths) = config.sizes, convnext.SIZES["tiny"]
    theirs = transformers.UperNetForSemanticSegmentation(
        transformers.UperNetConfig(
            num_labels=3,
            hidden_size=size.features,
            auxiliary_channels=size.auxiliary,
            backbone_config=transformers.ConvNextConfig(
                hidden_sizes=list(widths),
                depths=list(depths),
                out_features=["stage1", "stage2", "stage3", "stage4"],
            ),
        )
    )
    randomise(torch, theirs)
    variables = initialised(config)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert count == sum(p.numel() for p in theirs.parameters())

    image = images(1, 96, 64, 3)
    state = saved(torch, tmp_path, theirs)
    found, line = load_segmenter(state, variables)
    assert FILLED.search(line)
    x = nchw(torch, image)
    expected = {"logits": nhwc(theirs(x).logits)}
    assert_loaded(config, variables, found, image, expected)
    features = theirs.backbone(x).feature_maps
    auxiliary = nhwc(theirs.auxiliary_head(features))
    np.testing.assert_allclose(
        outputs(config, found, image)["auxiliary_logits"], auxiliary, atol=1e-4
    )
    for name, array in take(found, SEGMENTERS["upernet"], "huggingface", at=()).items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)


def monai_unetpp():
    """MONAI's UNet++ with batch norm, ReLU, no biases and plain bilinear upsampling."""
    networks = pytest.importorskip("monai.networks.nets")
    basic_unet = pytest.importorskip("monai.networks.nets.basic_unet")
    widths = SIZES["unetpp"]["standard"].widths
    style = {"act": "RELU", "norm": "batch", "bias": False}
    theirs = networks.BasicUNetPlusPlus(
        spatial_dims=2, in_channels=3, out_channels=3, features=(*widths, widths[0]),
        deep_supervision=True, upsample="nontrainable", **style,
    )  # fmt: skip
    for row in range(4):
        for column in range(1, 5 - row):
            # Its own halves the channels before the upsampling, by a 1x1 convolution.
            plain = basic_unet.UpCat(
                2, widths[row + 1], column * widths[row], widths[row], dropout=0.0,
                upsample="nontrainable", pre_conv=None, align_corners=False, **style,
            )  # fmt: skip
            setattr(theirs, f"upcat_{row}_{column}", plain)
    return theirs


def test_unetpp(torch, tmp_path):
    theirs = randomise(torch, monai_unetpp())
    config = SegmenterConfig(network="unetpp", auxiliary=True)
    variables = initialised(config)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert count == sum(p.numel() for p in theirs.parameters())

    image = images(1, 64, 96, 3)
    state = saved(torch, tmp_path, theirs)
    found, line = load_segmenter(state, variables)
    assert FILLED.search(line)
    heads = [nhwc(head) for head in theirs(nchw(torch, image))]
    expected = {f"auxiliary_logits_{j}": head for j, head in enumerate(heads, start=1)}
    assert_loaded(config, variables, found, image, expected | {"logits": np.mean(heads, axis=0)})
    for name, array in take(found, SEGMENTERS["unetpp"], "monai", at=()).items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)


def test_segnext(torch, tmp_path):
    path = pathlib.Path(__file__).with_name("segnext_reference.py")
    spec = importlib.util.spec_from_file_location("segnext_reference", path)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)

    config = SegmenterConfig(network="segnext", size="t")
    s, encoder = config.sizes, mscan.SIZES["t"]
    theirs = randomise(
        torch,
        reference.SegNeXt(
            encoder.depths, encoder.widths, encoder.ratios, s.features, s.groups, 3
        ),
    )
    variables = initialised(config)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert count == sum(p.numel() for p in theirs.parameters())
    found, line = load_segmenter(saved(torch, tmp_path, theirs), variables)
    assert FILLED.search(line)
    image = images(2, 64, 96, 3)
    bases = random_bases(jax.random.key(0)[None], s.features, s.rank)[0]
    expected = theirs(nchw(torch, image), torch.tensor(np.asarray(bases)), steps=7)
    assert_loaded(config, variables, found, image, {"logits": nhwc(expected)})


def test_aspp(torch):
    """The pyramid pooling of DeepLabV3+ with dilated convolutions in PyTorch."""
    functional = torch.nn.functional
    x = images(2, 9, 13, 6)
    module = ASPP(features=5, rates=(2, 4, 7))
    init = jax.eval_shape(
        lambda key: module.init(key, x, train=False, axis_name=None), jax.random.key(0)
    )
    rng = np.random.default_rng(3)
    variables = jax.tree.map(
        lambda leaf: rng.uniform(0.2, 1.0, leaf.shape).astype(np.float32), dict(init)
    )
    params, statistics = variables["params"], variables["batch_stats"]

    def pointwise_block(name, x, conv="conv"):
        kernel = torch.tensor(params[name][conv]["kernel"])
        # (1, 1, in, out) or (in, out) -> (out, in, 1, 1)
        x = functional.conv2d(x, kernel.reshape(kernel.shape[-2:]).T[:, :, None, None])
        norm = [statistics[name]["norm"][k] for k in ("mean", "var")]
        norm += [params[name]["norm"][k] for k in ("scale", "bias")]
        return functional.relu(functional.batch_norm(x, *map(torch.tensor, norm)))

    source = nchw(torch, x)
    branches = [pointwise_block("point", source)]
    for rate in (2, 4, 7):
        kernel = torch.tensor(params[f"rate{rate}"]["depthwise"]["kernel"])
        # (3, 3, C) -> (C, 1, 3, 3)
        dilated = functional.conv2d(
            source, kernel.permute(2, 0, 1)[:, None], padding=rate, dilation=rate, groups=6
        )
        branches.append(pointwise_block(f"rate{rate}", dilated, "pointwise"))
    pooled = pointwise_block("pooled", source.mean(dim=(2, 3), keepdim=True))
    branches.append(pooled.expand_as(branches[0]))
    expected = pointwise_block("project", torch.cat(branches, dim=1))
    found = jax.jit(lambda v, x: module.apply(v, x, train=False, axis_name=None))(variables, x)
    np.testing.assert_allclose(found, nhwc(expected), rtol=1e-4, atol=1e-4)
