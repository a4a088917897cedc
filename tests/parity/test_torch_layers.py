"""Layers against PyTorch's and transformers' at 1e-4: `python -m pytest -m parity tests/parity`."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax import weights
from imo_jax.backbones.convnext import ConvNeXt
from imo_jax.layers.deformable import DeformableAttention
from imo_jax.layers.norms import BatchNorm, GroupNorm
from imo_jax.layers.positions import axis_encoding
from imo_jax.layers.resize import bilinear, nearest
from imo_jax.models.imo import IMOConfig
from imo_jax.weights.imo import variable_shapes
from imo_jax.weights.rules import nest

pytestmark = pytest.mark.parity

CONFIG = IMOConfig(
    backbone_depths=(1, 2, 1, 1), backbone_widths=(8, 16, 24, 32), feature_dim=32, norm_groups=8,
    oct_slices=4, oct_blocks=1, grade_hidden=16, decoder_layers=1, decoder_heads=4, decoder_mlp=8,
    time_dim=8,
)  # fmt: skip
HEIGHT, WIDTH = 7, 10


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def variables():
    rng = np.random.default_rng(0)
    shapes = variable_shapes(CONFIG)
    return nest({path: 0.3 * rng.normal(size=s).astype(np.float32) for path, s in shapes.items()})


def values(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def released(variables, prefix, torch):
    """Part of the state dict under the released names, as tensors, without the prefix."""
    state = weights.to_torch(variables, CONFIG)
    return {
        name.removeprefix(prefix): torch.tensor(array)
        for name, array in state.items()
        if name.startswith(prefix)
    }


def to_nchw(torch, x):
    return torch.tensor(np.moveaxis(x, -1, 1))


def assert_nhwc_close(ours, theirs):
    """Ours (B, H, W, C) against a tensor (B, C, H, W)."""
    np.testing.assert_allclose(ours, np.moveaxis(theirs.detach().numpy(), 1, -1), atol=1e-4)


def test_convnext_stages(torch, variables):
    transformers = pytest.importorskip("transformers")
    config = transformers.ConvNextConfig(
        hidden_sizes=list(CONFIG.backbone_widths),
        depths=list(CONFIG.backbone_depths),
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    theirs = transformers.ConvNextBackbone(config).eval()
    for stage in theirs.encoder.stages[1:]:
        stage.downsampling_layer[0].eps = 1e-5  # as released
    names = {
        "downsample_layers.0.0": "embeddings.patch_embeddings",
        "downsample_layers.0.1": "embeddings.layernorm",
        **{f"norm{i}": f"hidden_states_norms.stage{i + 1}" for i in range(4)},
        "depthwise_conv": "dwconv",
        "pointwise_conv": "pwconv",
        ".norm.": ".layernorm.",
        "gamma": "layer_scale_parameter",
    }
    renamed = {}
    for name, tensor in released(variables, "backbone.", torch).items():
        for ours, other in names.items():
            name = name.replace(ours, other)
        if name.startswith("downsample_layers."):
            _, stage, rest = name.split(".", 2)
            name = f"encoder.stages.{stage}.downsampling_layer.{rest}"
        elif name.startswith("stages."):
            _, stage, rest = name.split(".", 2)
            name = f"encoder.stages.{stage}.layers.{rest}"
        renamed[name] = tensor
    theirs.load_state_dict(renamed)

    image = values(2, 68, 40, 3)  # grids of 17, 8, 4, 2: one odd
    expected = theirs(to_nchw(torch, image)).feature_maps
    ours = ConvNeXt(CONFIG.backbone_depths, CONFIG.backbone_widths)
    params = variables["params"]["fundus_encoder"]["backbone"]
    for stage, other in zip(
        jax.jit(ours.apply)({"params": params}, image).maps.values(), expected, strict=True
    ):
        assert_nhwc_close(stage, other)


def sine_position(torch):
    module = pytest.importorskip("transformers.models.deformable_detr.modeling_deformable_detr")
    make = module.DeformableDetrSinePositionEmbedding
    size = CONFIG.feature_dim // 2
    names = inspect.signature(make.__init__).parameters
    first = "num_position_features" if "num_position_features" in names else "embedding_dim"
    embed = make(**{first: size}, normalize=True)
    mask = torch.ones((1, HEIGHT, WIDTH), dtype=torch.bool)
    if "shape" in inspect.signature(embed.forward).parameters:
        shape = torch.Size([1, CONFIG.feature_dim, HEIGHT, WIDTH])
        found = embed(shape, device=torch.device("cpu"), dtype=torch.float32, mask=mask)
    else:
        found = embed(torch.zeros(1, 1, HEIGHT, WIDTH), mask)
    # (1, Q, C) or (1, C, H, W) -> (Q, C)
    return found.flatten(2)[0].T if found.ndim == 4 else found[0]


def our_position():
    half = CONFIG.feature_dim // 2
    rows = np.broadcast_to(axis_encoding(HEIGHT, half)[:, None], (HEIGHT, WIDTH, half))
    columns = np.broadcast_to(axis_encoding(WIDTH, half)[None], (HEIGHT, WIDTH, half))
    # 2 x (H, W, C/2) -> (Q, C)
    return np.concatenate([rows, columns], axis=-1).reshape(HEIGHT * WIDTH, -1)


def test_positional_encoding(torch):
    np.testing.assert_allclose(our_position(), sine_position(torch), atol=1e-4)


def test_deformable_attention(torch, variables):
    module = pytest.importorskip("transformers.models.deformable_detr.modeling_deformable_detr")
    config = module.DeformableDetrConfig(d_model=CONFIG.feature_dim, num_feature_levels=1)
    theirs = module.DeformableDetrMultiscaleDeformableAttention(
        config, num_heads=CONFIG.decoder_heads, n_points=CONFIG.decoder_points
    ).eval()
    prefix = "decode_head.encoder.layers.0.attentions.0."
    state = released(variables, prefix, torch)
    for name in state:
        if name.startswith("sampling_offsets"):
            state[name] = 4 * state[name]  # several pixels, some of them outside
    theirs.load_state_dict(state)
    params = jax.tree.map(np.asarray, variables["params"]["decoder"]["layer0"]["attention"])
    params["offsets"] = {name: 4 * array for name, array in params["offsets"].items()}

    x = values(2, HEIGHT, WIDTH, CONFIG.feature_dim)
    flat = torch.tensor(x.reshape(2, HEIGHT * WIDTH, -1))
    y, x_centre = np.meshgrid(
        (np.arange(HEIGHT) + 0.5) / HEIGHT, (np.arange(WIDTH) + 0.5) / WIDTH, indexing="ij"
    )
    centres = np.stack([x_centre, y], axis=-1).reshape(1, -1, 1, 2).astype(np.float32)
    expected, _ = theirs(
        flat,
        encoder_hidden_states=flat,
        position_embeddings=torch.tensor(our_position())[None],
        reference_points=torch.tensor(np.repeat(centres, 2, axis=0)),
        spatial_shapes=torch.tensor([[HEIGHT, WIDTH]]),
        spatial_shapes_list=[(HEIGHT, WIDTH)],
        level_start_index=torch.tensor([0]),
    )
    ours = DeformableAttention(CONFIG.decoder_heads, CONFIG.decoder_points)
    found = jax.jit(ours.apply)({"params": params}, x).reshape(expected.shape)
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-4)


@pytest.mark.parametrize("size", [(14, 20), (15, 21), (3, 4), (7, 31), (7, 10)], ids=str)
def test_bilinear(torch, size):
    x = values(2, HEIGHT, WIDTH, 3)
    theirs = torch.nn.functional.interpolate(
        to_nchw(torch, x), size=size, mode="bilinear", align_corners=False
    )
    assert_nhwc_close(bilinear(jnp.asarray(x), size), theirs)


@pytest.mark.parametrize("size", [(14, 20), (15, 21), (3, 2)], ids=str)
def test_nearest(torch, size):
    x = values(2, HEIGHT, WIDTH, 3)
    theirs = torch.nn.functional.interpolate(to_nchw(torch, x), size=size, mode="nearest")
    assert_nhwc_close(nearest(jnp.asarray(x), size), theirs)


def test_group_norm(torch):
    x, scale, bias = values(2, 5, 6, 8) + 3, values(8), values(8)
    theirs = torch.nn.functional.group_norm(
        to_nchw(torch, x), 4, torch.tensor(scale), torch.tensor(bias), eps=1e-5
    )
    params = {"params": {"scale": scale, "bias": bias}}
    assert_nhwc_close(GroupNorm(4).apply(params, x), theirs)


def test_batch_norm_and_its_running_statistics(torch):
    x = values(3, 2, 4, 5) * 2 + 1
    theirs = torch.nn.BatchNorm2d(5)
    collections = {
        "params": {"scale": np.ones(5, np.float32), "bias": np.zeros(5, np.float32)},
        "batch_stats": {"mean": np.zeros(5, np.float32), "var": np.ones(5, np.float32)},
    }
    for _ in range(2):
        expected = theirs(to_nchw(torch, x))
        found, mutated = BatchNorm().apply(collections, x, train=True, mutable=["batch_stats"])
        collections = collections | mutated
        assert_nhwc_close(found, expected)
    statistics = collections["batch_stats"]
    np.testing.assert_allclose(statistics["mean"], theirs.running_mean, atol=1e-5)
    np.testing.assert_allclose(statistics["var"], theirs.running_var, atol=1e-5)
    assert_nhwc_close(
        BatchNorm().apply(collections, x, train=False), theirs.eval()(to_nchw(torch, x))
    )
