"""Pretrained files into the graders' backbones, against transformers at 1e-4 on random weights.

Every file is written by transformers or torch: as transformers saves it, as it stands in memory,
and renamed as torchvision and timm name the same network (tests/parity/library_names.py).
`python -m pytest -m parity tests/parity/test_pretrained.py`
"""

import functools
import importlib.util
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones.beit import BEiT
from imo_jax.backbones.convnext import ConvNeXt
from imo_jax.backbones.patches import TransformerSize
from imo_jax.backbones.vit import ViT
from imo_jax.layers import depthwise
from imo_jax.layers.bicubic import bicubic
from imo_jax.models.graders import Grader, GraderConfig
from imo_jax.weights import load_pretrained, read_state_dict
from imo_jax.weights.beit import BEIT
from imo_jax.weights.convnext import CONVNEXT
from imo_jax.weights.family import take
from imo_jax.weights.inspect import describe
from imo_jax.weights.vit import VIT

pytestmark = pytest.mark.parity

spec = importlib.util.spec_from_file_location(
    "library_names", pathlib.Path(__file__).with_name("library_names.py")
)
library_names = importlib.util.module_from_spec(spec)
spec.loader.exec_module(library_names)

SIDE = 32
TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
TRANSFORMER |= {"intermediate_size": 64, "image_size": SIDE, "patch_size": 8}
SMALL = {"size": TransformerSize(8, 2, 32, 4, 64), "image_size": SIDE}
CLASSES = 7


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def scattered(torch, model):
    """Every parameter and running statistic moved away from where it starts."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_floating_point():
            low, high = (0.5, 1.5) if "var" in name or ("norm" in name and "weight" in name) else (
                -0.2, 0.2
            )  # fmt: skip
            spread = min(1.0, 4 * tensor[0].numel() ** -0.5) if tensor.ndim > 1 else 1.0
            tensor.data.uniform_(low, high, generator=generator).mul_(spread)
    return model.eval()


def image(rows=SIDE, columns=SIDE):
    return np.random.default_rng(1).normal(size=(2, rows, columns, 3)).astype(np.float32)


def random_variables(net, shape):
    needs_train = isinstance(net, Grader)
    init = functools.partial(net.init, train=False) if needs_train else net.init
    shapes = dict(jax.eval_shape(init, jax.random.key(0), jnp.zeros(shape)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)


def expected_logits(torch, model, x, **options):
    with torch.no_grad():
        return model(torch.tensor(np.moveaxis(x, -1, 1)), **options).logits.numpy()


@functools.cache
def program(net):
    return jax.jit(net.apply)


def found_logits(net, variables, model, x):
    """Their classifier on our features."""
    features = program(net)(variables, x).pooled
    weight, bias = (p.detach().numpy() for p in model.classifier.parameters())
    return np.asarray(features) @ weight.T + bias


def save(torch, model, folder, form):
    """A file of the model: as transformers saves, as in memory, or under other names."""
    if form == "saved":
        model.save_pretrained(folder)
        return folder / "model.safetensors"
    path = folder / "weights.pth"
    if form == "memory":
        torch.save(model.state_dict(), path)
        return path
    model.save_pretrained(folder)
    state = read_state_dict(folder / "model.safetensors")
    state = library_names.renamed(state, getattr(library_names, form))
    torch.save({"state_dict": {name: torch.tensor(a) for name, a in state.items()}}, path)
    return path


def convnext(torch, transformers):
    config = transformers.ConvNextConfig(
        depths=[1, 1, 2, 1], hidden_sizes=[8, 12, 16, 24], num_labels=CLASSES
    )
    model = scattered(torch, transformers.ConvNextForImageClassification(config))
    return model, ConvNeXt((1, 1, 2, 1), (8, 12, 16, 24), variant="classifier")


def vit(torch, transformers):
    config = transformers.ViTConfig(**TRANSFORMER, num_labels=CLASSES, layer_norm_eps=1e-6)
    return scattered(torch, transformers.ViTForImageClassification(config)), ViT(**SMALL)


def beit(torch, transformers):
    config = transformers.BeitConfig(
        **TRANSFORMER, num_labels=CLASSES, use_relative_position_bias=True, layer_norm_eps=1e-6
    )
    return scattered(torch, transformers.BeitForImageClassification(config)), BEiT(**SMALL)


@pytest.mark.parametrize(
    ("make", "form", "naming"),
    [
        (convnext, "saved", "huggingface"),
        (convnext, "memory", "huggingface"),
        (convnext, "CONVNEXT_TIMM", "timm"),
        (convnext, "CONVNEXT_ORIGINAL", "original"),
        (convnext, "convnext_torchvision", "torchvision"),
        (vit, "saved", "huggingface"),
        (vit, "memory", "huggingface"),
        (vit, "VIT_TIMM", "timm"),
        (vit, "VIT_TORCHVISION", "torchvision"),
        (beit, "saved", "huggingface"),
        (beit, "memory", "huggingface"),
        (beit, "BEIT_TIMM", "timm"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_file_makes_the_backbone_compute_the_same(
    torch, transformers, tmp_path, make, form, naming
):
    model, net = make(torch, transformers)
    path = save(torch, model, tmp_path, form)
    assert dict(describe(read_state_dict(path)))["head"] == f"{CLASSES} classes"
    x = image()
    start = random_variables(net, x.shape)
    loaded, line = load_pretrained(path, start, ())
    assert f"under {naming} names" in line and line.endswith("fresh: nothing")
    expected = expected_logits(torch, model, x)
    found = found_logits(net, loaded, model, x)
    print("largest difference", np.abs(found - expected).max(), "of", np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.abs(found_logits(net, start, model, x) - expected).max() > 0.1


@pytest.mark.parametrize(("rows", "columns"), [(48, 48), (24, 40)])
def test_vit_on_another_image_size(torch, transformers, tmp_path, rows, columns):
    """Positions resized where the network is built for the size, and while it runs."""
    model, net = vit(torch, transformers)
    path = save(torch, model, tmp_path, "saved")
    x = image(rows, columns)
    expected = expected_logits(torch, model, x, interpolate_pos_encoding=True)
    loaded, _ = load_pretrained(path, random_variables(net, x.shape), ())
    np.testing.assert_allclose(found_logits(net, loaded, model, x), expected, rtol=0, atol=1e-4)
    if rows == columns:
        net = ViT(**SMALL | {"image_size": rows})
        loaded, line = load_pretrained(path, random_variables(net, x.shape), ())
        assert "positions resized in 1 arrays" in line
        found = found_logits(net, loaded, model, x)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [24, 48])
def test_beit_on_another_image_size(torch, transformers, tmp_path, size):
    model, net = beit(torch, transformers)
    path = save(torch, model, tmp_path, "saved")
    x = image(size, size)
    expected = expected_logits(torch, model, x)
    for built_for in (SIDE, size):
        net = BEiT(**SMALL | {"image_size": built_for})
        loaded, line = load_pretrained(path, random_variables(net, x.shape), ())
        assert ("positions resized in 2 arrays" in line) == (built_for == size)
        found = found_logits(net, loaded, model, x)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "family"),
    [(convnext, CONVNEXT), (vit, VIT), (beit, BEIT)],
    ids=["convnext", "vit", "beit"],
)
def test_back_to_torch_answers_the_same(torch, transformers, tmp_path, make, family):
    """Our random weights, under Hugging Face's names, in its model."""
    model, net = make(torch, transformers)
    x = image()
    variables = jax.tree.map(lambda a: 0.2 * a, random_variables(net, x.shape))
    state = take(variables, family, "huggingface", ())
    save(torch, model, tmp_path, "saved")
    filed = read_state_dict(tmp_path / "model.safetensors")
    prefix = f"{model.base_model_prefix}."
    ours = {prefix + name: array for name, array in state.items()}
    assert ours.keys() | {"classifier.weight", "classifier.bias"} == filed.keys()
    from safetensors import numpy as safetensors_numpy

    filed = {name: np.ascontiguousarray(array) for name, array in (filed | ours).items()}
    safetensors_numpy.save_file(filed, tmp_path / "model.safetensors", {"format": "pt"})
    model = type(model).from_pretrained(tmp_path).eval()
    found = found_logits(net, variables, model, x)
    np.testing.assert_allclose(found, expected_logits(torch, model, x), rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", ["resnet", "convnext", "vit", "beit"])
def test_real_sizes(torch, transformers, tmp_path, monkeypatch, network):
    """The whole grader of the comparison, its head from the file by hand."""
    # The form for GPUs, as 18 blocks of 49 shifted products take long to compile.
    monkeypatch.setattr(depthwise, "depthwise_conv", depthwise.grouped_conv)
    side = 64
    config, kind = {
        "resnet": (transformers.ResNetConfig(), transformers.ResNetForImageClassification),
        "convnext": (transformers.ConvNextConfig(), transformers.ConvNextForImageClassification),
        "vit": (transformers.ViTConfig(image_size=side), transformers.ViTForImageClassification),
        "beit": (
            transformers.BeitConfig(image_size=side, use_relative_position_bias=True),
            transformers.BeitForImageClassification,
        ),
    }[network]
    config.num_labels = 3
    model = scattered(torch, kind(config))
    form = "resnet_torchvision" if network == "resnet" else "saved"
    path = save(torch, model, tmp_path, form)
    net = Grader(GraderConfig(network, layout_size=side))
    x = image(side, side)
    loaded, line = load_pretrained(path, random_variables(net, x.shape))
    assert line.endswith("fresh: head")
    weight, bias = (p.detach().numpy() for p in model.classifier.parameters())
    loaded["params"]["head"] = {"kernel": weight.T, "bias": bias}
    found = jax.jit(functools.partial(net.apply, train=False))(loaded, x)["grade_logits"]
    expected = expected_logits(torch, model, x)
    print("largest difference", np.abs(found - expected).max(), "of", np.abs(expected).max())
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("size", [(5, 3), (14, 20)])
def test_bicubic(torch, size):
    x = np.random.default_rng(0).normal(size=(7, 9, 3)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.tensor(np.moveaxis(x, -1, 0))[None], size=size, mode="bicubic", align_corners=False
    )
    np.testing.assert_allclose(bicubic(x, size), np.moveaxis(expected[0].numpy(), 0, -1), atol=1e-5)
