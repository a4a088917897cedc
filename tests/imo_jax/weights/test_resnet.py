"""Pretrained ResNets into a network: names, channels, what is left over, what does not fit."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from imo_jax import weights
from imo_jax.backbones.resnet import SIZES, ResNet
from imo_jax.models.semt import SemtConfig, network
from imo_jax.weights.resnet import NAMINGS, recognise, spread_channels
from imo_jax.weights.rules import flatten

CONFIG = SemtConfig(stage_sizes=(2, 1), width=4, regression_width=4)
AT = ("backbone",)


def random_variables(net, shape=(1, 32, 32, 3), seed=0):
    rng = np.random.default_rng(seed)
    init = functools.partial(net.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), np.zeros(shape, np.float32))
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), dict(shapes))


@pytest.fixture(scope="module")
def variables():
    return random_variables(network(CONFIG))


@pytest.fixture(scope="module")
def pretrained():
    """State dict of another backbone of this size, as torchvision would save it."""
    state = weights.resnet_to_torch(random_variables(network(CONFIG), seed=1), AT)
    counters = {
        name.replace("running_mean", "num_batches_tracked"): np.int64(7)
        for name in state
        if name.endswith("running_mean")
    }
    return state | counters | {"fc.weight": np.zeros((9, 8)), "fc.bias": np.zeros(9)}


def assert_equal(one, other):
    one, other = flatten(one), flatten(other)
    assert one.keys() == other.keys()
    for path in one:
        np.testing.assert_array_equal(one[path], other[path], err_msg=str(path))


@pytest.mark.parametrize("naming", sorted(NAMINGS))
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shape", [(1, 32, 32, 3), (1, 16, 16, 16, 1)], ids=["images", "volumes"])
def test_there_and_back_is_exact(naming, block, shape):
    net = ResNet(block, (2, 1), width=2)
    theirs, ours = random_variables(net, shape), random_variables(net, shape, seed=1)
    state = weights.resnet_to_torch(theirs, (), naming)
    assert recognise(state) == naming
    loaded, _ = weights.load_resnet(state, ours, ())
    assert_equal(loaded, theirs)


@pytest.mark.parametrize(
    ("naming", "names"),
    [
        (
            "torchvision",
            {
                "conv1.weight": (64, 3, 7, 7),
                "bn1.running_var": (64,),
                "layer1.2.conv3.weight": (256, 64, 1, 1),
                "layer1.0.downsample.0.weight": (256, 64, 1, 1),
                "layer3.5.conv2.weight": (256, 256, 3, 3),
                "layer4.0.downsample.1.bias": (2048,),
                "layer4.2.bn3.running_mean": (2048,),
            },
        ),
        (
            "huggingface",
            {
                "embedder.embedder.convolution.weight": (64, 3, 7, 7),
                "embedder.embedder.normalization.running_var": (64,),
                "encoder.stages.0.layers.2.layer.2.convolution.weight": (256, 64, 1, 1),
                "encoder.stages.0.layers.0.shortcut.convolution.weight": (256, 64, 1, 1),
                "encoder.stages.2.layers.5.layer.1.convolution.weight": (256, 256, 3, 3),
                "encoder.stages.3.layers.0.shortcut.normalization.bias": (2048,),
                "encoder.stages.3.layers.2.layer.2.normalization.running_mean": (2048,),
            },
        ),
    ],
)
def test_names_and_layouts_of_resnet50(naming, names):
    shapes = jax.eval_shape(
        functools.partial(ResNet(*SIZES["resnet50"]).init, train=False),
        jax.random.key(0),
        np.zeros((1, 32, 32, 3), np.float32),
    )
    # Views without memory: only names and shapes are of interest.
    variables = jax.tree.map(lambda s: np.broadcast_to(np.float32(0), s.shape), dict(shapes))
    state = weights.resnet_to_torch(variables, (), naming)
    assert len(state) == 53 * 5  # convolutions, and four arrays of the norm after each
    assert {name: state[name].shape for name in names} == names


def test_the_backbone_is_replaced_and_nothing_else(variables, pretrained):
    loaded, line = weights.load_resnet(pretrained, variables)
    for path, array in flatten(loaded).items():
        same = np.array_equal(array, flatten(variables)[path])
        assert same == (path[1] != "backbone"), path
    back = weights.resnet_to_torch(loaded, AT)
    for name, array in back.items():
        np.testing.assert_array_equal(array, pretrained[name])
    assert line == (
        "ResNet of basic blocks (2, 1) under torchvision names: 40 arrays; ignored: fc.weight, "
        "fc.bias, 8 batch counters; fresh: classifier, md, md_maps, psd, psd_maps, vfi, vfi_maps"
    )


@pytest.mark.parametrize("prefix", ["", "resnet.", "module."])
def test_prefixes(variables, pretrained, prefix):
    state = {prefix + name: array for name, array in pretrained.items()}
    assert_equal(
        weights.load_resnet(state, variables)[0], weights.load_resnet(pretrained, variables)[0]
    )


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_through_a_file(tmp_path, variables, pretrained, ending):
    path = tmp_path / f"weights.{ending}"
    if ending == "npz":
        np.savez(path, **pretrained)
    else:
        from safetensors import numpy as safetensors_numpy

        safetensors_numpy.save_file({n: np.asarray(a) for n, a in pretrained.items()}, path)
    found, _ = weights.load_resnet(weights.read_state_dict(path), variables)
    assert_equal(found, weights.load_resnet(pretrained, variables)[0])


def test_input_channels_share_the_sum(variables, pretrained):
    """An image of equal channels is seen as before, whatever their number."""
    kernel = pretrained["conv1.weight"]
    np.testing.assert_allclose(
        spread_channels(kernel, 5).sum(axis=1), kernel.sum(axis=1), atol=1e-5
    )
    narrow = random_variables(network(CONFIG), (1, 32, 32, 1))
    loaded, line = weights.load_resnet(pretrained, narrow)
    found = loaded["params"]["backbone"]["stem_conv"]["kernel"]
    assert found.shape == (7, 7, 1, 4)
    np.testing.assert_allclose(found[2, 5, 0, 1], kernel[1, :, 2, 5].sum(), rtol=1e-5)
    assert "input channels spread from 3 to 1" in line
    assert "spread" not in weights.load_resnet(pretrained, variables)[1]


def test_everything_that_does_not_fit_is_listed(variables, pretrained):
    state = dict(pretrained) | {"layer1.0.se.weight": np.zeros(3), "bn1.bias": np.zeros(5)}
    del state["layer2.0.bn2.running_mean"]
    with pytest.raises(weights.WeightsError) as error:
        weights.load_resnet(state, variables)
    assert set(error.value.problems) == {
        "misshapen: bn1.bias is (5,), the model has (4,)",
        "missing: layer2.0.bn2.running_mean",
        "unmatched: layer1.0.se.weight",
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stage_sizes": (2, 2, 2, 2)}, "resnet18 that begins with 4 channels by 7 x 7"),
        ({"width": 8}, "ResNet of basic blocks (2, 1) that begins with 8 channels by 7 x 7"),
        ({"stem": "small"}, "ResNet of basic blocks (2, 1) that begins with 4 channels by 3 x 3"),
    ],
    ids=str,
)
def test_a_resnet_of_another_size_is_told_in_one_line(pretrained, options, words):
    other = random_variables(network(dataclasses.replace(CONFIG, **options)))
    with pytest.raises(weights.WeightsError) as error:
        weights.load_resnet(pretrained, other)
    theirs = "ResNet of basic blocks (2, 1) that begins with 4 channels by 7 x 7"
    assert error.value.problems == [f"the file holds a {theirs}, the network has a {words}"]


def test_a_network_without_a_resnet_is_told(pretrained, variables):
    with pytest.raises(ValueError, match="no ResNet at encoder"):
        weights.load_resnet(pretrained, variables, ("encoder",))


def test_a_file_of_another_kind_is_refused(variables):
    with pytest.raises(weights.WeightsError, match=r"not the names of a ResNet.*patch\.bias"):
        weights.load_resnet({"patch.weight": np.zeros(3), "patch.bias": np.zeros(3)}, variables)
