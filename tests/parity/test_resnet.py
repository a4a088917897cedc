"""ResNets against transformers and MONAI, the 3D-CNN against Keras, at 1e-4 on random weights.

Every weight goes through a file that the other library wrote.
`python -m pytest -m parity tests/parity/test_resnet.py`
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax import weights
from imo_jax.backbones.resnet import SIZES, ResNet
from imo_jax.models.semt import SIZES as SEMT_SIZES
from imo_jax.models.semt import network

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def values(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def to_torch(torch, x):
    """(B, ..., C) -> (B, C, ...)."""
    return torch.tensor(np.moveaxis(x, -1, 1))


def from_torch(tensor):
    """(B, C, ...) -> (B, ..., C)."""
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def untrivial(torch, model):
    """Norms that neither start at 1 and 0 nor keep their running statistics there."""
    generator = torch.Generator().manual_seed(0)
    norms = (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
    for norm in (m for m in model.modules() if isinstance(m, norms)):
        for tensor, low in (
            (norm.weight, 0.5), (norm.bias, -0.5), (norm.running_mean, -0.5), (norm.running_var, 0.5)
        ):  # fmt: skip
            tensor.data.uniform_(low, low + 1, generator=generator)
    return model.eval()


def random_variables(net, shape):
    init = functools.partial(net.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros(shape))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), dict(shapes))


def hugging_face(torch, size, with_head):
    transformers = pytest.importorskip("transformers")
    block, depths = SIZES[size]
    widths = [64, 128, 256, 512] if block == "basic" else [256, 512, 1024, 2048]
    config = transformers.ResNetConfig(
        layer_type=block, depths=list(depths), hidden_sizes=widths, num_labels=7
    )
    kind = transformers.ResNetForImageClassification if with_head else transformers.ResNetModel
    torch.manual_seed(0)
    return untrivial(torch, kind(config))


@pytest.mark.parametrize(
    ("size", "with_head", "ending"),
    [
        ("resnet18", True, "pth"),
        ("resnet18", False, "safetensors"),
        ("resnet34", False, "pth"),
        ("resnet50", True, "safetensors"),
    ],
)
def test_hugging_face(torch, tmp_path, size, with_head, ending):
    theirs = hugging_face(torch, size, with_head)
    path = tmp_path / f"weights.{ending}"
    if ending == "pth":
        torch.save(theirs.state_dict(), path)
    else:
        pytest.importorskip("safetensors.torch").save_file(theirs.state_dict(), path)
    image = values(2, 64, 75, 3)
    net = ResNet(*SIZES[size])
    start = random_variables(net, image.shape)
    loaded, line = weights.load_resnet(weights.read_state_dict(path), start, ())
    assert line.startswith(f"{size} under huggingface names")
    out = jax.jit(functools.partial(net.apply, train=False))(loaded, image)
    with torch.no_grad():
        outputs = theirs(to_torch(torch, image), output_hidden_states=True)
    for stage, other in zip(
        [out.maps[stride] for stride in (4, 8, 16, 32)], outputs.hidden_states[1:], strict=True
    ):
        # With random weights the deeper ones reach activations of 80: compared to those.
        scale = 1.0 if size == "resnet18" else max(1.0, float(other.abs().max()))
        np.testing.assert_allclose(stage, from_torch(other), rtol=0, atol=1e-4 * scale)


def test_back_to_torch_answers_the_same(torch):
    """Our random weights, under Hugging Face's names, in its model."""
    theirs = hugging_face(torch, "resnet18", with_head=False)
    net = ResNet(*SIZES["resnet18"])
    image = values(1, 64, 64, 3)
    variables = jax.jit(functools.partial(net.init, train=False))(jax.random.key(0), image)
    state = weights.resnet_to_torch(variables, (), "huggingface")
    missing, unexpected = theirs.load_state_dict(
        {name: torch.tensor(array) for name, array in state.items()}, strict=False
    )
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    expected = theirs(to_torch(torch, image)).last_hidden_state
    out = jax.jit(functools.partial(net.apply, train=False))(variables, image)
    np.testing.assert_allclose(out.maps[32], from_torch(expected), atol=1e-4)


def test_training_step(torch):
    """Gradients and running statistics of a batch, batch norms in training."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        layer_type="basic", depths=[1, 1], hidden_sizes=[8, 16], embedding_size=8
    )
    torch.manual_seed(0)
    theirs = untrivial(torch, transformers.ResNetModel(config)).train()
    net = ResNet("basic", (1, 1), width=8)
    image, target = values(3, 37, 40, 3), values(3, 5, 5, 16, seed=2)
    state = {name: tensor.detach().numpy().copy() for name, tensor in theirs.state_dict().items()}
    variables, _ = weights.load_resnet(state, random_variables(net, image.shape), ())

    output = theirs(to_torch(torch, image)).last_hidden_state
    (output * to_torch(torch, target)).mean().backward()

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def gradients(params):
        out, changed = net.apply(
            variables | {"params": params}, image, train=True, mutable=["batch_stats"]
        )
        return jnp.mean(out.maps[8] * target), changed["batch_stats"]

    gradient, statistics = gradients(variables["params"])
    ours = weights.resnet_to_torch(
        {"params": gradient, "batch_stats": statistics}, (), "huggingface"
    )
    expected = dict(theirs.named_buffers())
    expected |= {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, array in ours.items():
        np.testing.assert_allclose(array, expected[name].numpy(), atol=1e-4, err_msg=name)
    assert np.abs(gradient["stem_conv"]["kernel"]).max() > 1e-3


@pytest.mark.parametrize("stride", [1, 2])
def test_monai_volumes(torch, tmp_path, stride):
    nets = pytest.importorskip("monai.networks.nets")
    torch.manual_seed(0)
    theirs = nets.resnet18(
        spatial_dims=3, n_input_channels=1, num_classes=2, conv1_t_stride=stride,
        bias_downsample=False,
    )  # fmt: skip
    untrivial(torch, theirs)
    torch.save(theirs.state_dict(), tmp_path / "monai.pth")
    volume = values(2, 17, 24, 18, 1)
    net = ResNet(*SIZES["resnet18"], stem={1: "fine", 2: "imagenet"}[stride])
    state = weights.read_state_dict(tmp_path / "monai.pth")
    loaded, line = weights.load_resnet(state, random_variables(net, volume.shape), ())
    assert line.startswith("resnet18 under torchvision names") and "fc.weight" in line
    out = jax.jit(functools.partial(net.apply, train=False))(loaded, volume)
    pooled = np.asarray(out.pooled)
    found = pooled @ state["fc.weight"].T + state["fc.bias"]
    with torch.no_grad():
        np.testing.assert_allclose(found, theirs(to_torch(torch, volume)).numpy(), atol=1e-4)
    head = sum(theirs.state_dict()[f"fc.{name}"].numel() for name in ("weight", "bias"))
    count = sum(leaf.size for leaf in jax.tree.leaves(loaded["params"]))
    assert count + head == sum(parameter.numel() for parameter in theirs.parameters())


def test_keras_cnn3d():
    keras = pytest.importorskip("keras")
    config = dataclasses.replace(SEMT_SIZES["resnet18"], network="cnn3d")
    net, volume = network(config), values(2, 12, 17, 10, 1)
    variables = random_variables(net, volume.shape)
    variables["batch_stats"] = jax.tree.map(np.abs, variables["batch_stats"])
    kernels = [variables["params"][f"conv{i}"]["kernel"] for i in range(5)]
    for kernel in kernels:
        kernel *= np.prod(kernel.shape[:-1]) ** -0.5

    layers = keras.layers
    model = keras.Sequential([layers.Input(volume.shape[1:])])
    for filters, size, stride in ((32, 7, 2), (32, 5, 1), (32, 3, 1), (32, 3, 1), (32, 3, 1)):
        model.add(layers.Conv3D(filters, size, strides=stride, padding="same"))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
    model.add(layers.GlobalAveragePooling3D())
    model.add(layers.Dense(2, activation="softmax"))
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 222_466

    params, statistics = variables["params"], variables["batch_stats"]
    arrays = []
    for i in range(5):
        conv, norm, running = params[f"conv{i}"], params[f"norm{i}"], statistics[f"norm{i}"]
        arrays += [conv["kernel"], conv["bias"], norm["scale"], norm["bias"]]
        arrays += [running["mean"], running["var"]]
    model.set_weights([*arrays, params["classifier"]["kernel"], params["classifier"]["bias"]])
    logit = jax.jit(functools.partial(net.apply, train=False))(variables, volume)["logit"]
    expected = model.predict(volume, verbose=0)[:, 1]
    np.testing.assert_allclose(1 / (1 + np.exp(-np.asarray(logit))), expected, atol=1e-4)
