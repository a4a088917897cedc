"""EfficientNet-Lite against efficientnet-lite-pytorch, classifier included, at 1e-4.

With random weights of three sizes, and with ImageNet's where their packages are installed.
`python -m pytest -m parity tests/parity/test_efficientnet_lite.py`
"""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest

from imo_jax.backbones.efficientnet_lite import INPUT, SIZES, EfficientNetLite
from imo_jax.backbones.normalisation import MEAN, STD
from imo_jax.layers import depthwise
from imo_jax.weights import load_pretrained
from imo_jax.weights.packages import PACKAGES, weights_file

pytestmark = pytest.mark.parity
PHOTOGRAPH = pathlib.Path(__file__).with_name("retina_cc0_224.png")
NAMES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("efficientnet_lite_pytorch")


@pytest.fixture(autouse=True)
def compiles_quickly(monkeypatch):
    """One operation for what tests/imo_jax/layers compare with the form in use on CPU."""
    monkeypatch.setattr(depthwise, "depthwise_conv", depthwise.grouped_conv)


def logits_of_both(torch, model, path, name, pixels):
    """Logits of (B, H, W, 3) uint8 by the library and by the file's weights in our network."""
    theirs = (pixels.astype(np.float32) - INPUT["mean"]) / INPUT["std"]
    with torch.no_grad():
        expected = model.eval()(torch.tensor(np.moveaxis(theirs, -1, 1))).numpy()
    net = EfficientNetLite(*SIZES[name], classes=1000)
    ours = (pixels.astype(np.float32) - MEAN) / STD
    start = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    start = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), dict(start))
    variables, line = load_pretrained(path, start, ())
    assert line.startswith(f"{name} under efficientnet_pytorch names")
    assert line.endswith("batch counters; fresh: nothing")
    return np.asarray(jax.jit(net.apply)(variables, ours)), expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [64, 75])
def test_random_weights(torch, library, tmp_path, name, side):
    model = library.EfficientNet.from_name(name.replace("_", "-"))
    # Without an image size its convolutions pad as it sees the image.
    model = library.EfficientNet(model._blocks_args, model._global_params._replace(image_size=None))
    generator = torch.Generator().manual_seed(0)
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if key.endswith("running_var") or (tensor.ndim == 1 and key.endswith("weight")):
            tensor.data.uniform_(0.5, 1.5, generator=generator)
        elif tensor.ndim == 1:
            tensor.data.uniform_(-0.2, 0.2, generator=generator)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    pixels = np.random.default_rng(1).integers(0, 256, (2, side, side - 8, 3), np.uint8)
    found, expected = logits_of_both(torch, model, tmp_path / "weights.pth", name, pixels)
    print("largest difference", np.abs(found - expected).max(), "of", np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.abs(expected).std() > 0.01


def photograph():
    with PIL.Image.open(PHOTOGRAPH) as image:
        return np.asarray(image.convert("RGB"))[None]


@pytest.mark.parametrize("name", NAMES)
def test_real_weights(torch, library, name):
    try:
        path = weights_file(name)
    except ImportError:
        pytest.skip(f"{PACKAGES[name].distribution} is not installed")
    model = library.EfficientNet.from_name(name.replace("_", "-"))
    model = library.EfficientNet(model._blocks_args, model._global_params._replace(image_size=None))
    model.load_state_dict(torch.load(path, weights_only=True))
    found, expected = logits_of_both(torch, model, path, name, photograph())
    print("largest difference", np.abs(found - expected).max(), "of", np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    if name == "efficientnet_lite0":
        probabilities = np.asarray(jax.nn.softmax(found[0]))
        best = np.argsort(-probabilities)[:3]
        # Lampshade, jack-o'-lantern, jellyfish: no class fits, but nothing round looks the same.
        assert best.tolist() == [619, 607, 107]
        np.testing.assert_allclose(probabilities[best], [0.143, 0.075, 0.041], atol=1e-3)

