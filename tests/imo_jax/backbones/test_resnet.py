"""ResNet: exact parameter counts, strides, and every value of small ones against plain numpy."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones.resnet import SIZES, STEMS, ResNet

IMAGE = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)


def shapes(net, image=IMAGE):
    """(outputs, variables) as shapes; nothing is computed."""
    init = functools.partial(net.init_with_output, train=False)
    return jax.eval_shape(init, jax.random.key(0), image)


def draw(net, image, seed=0):
    """Random variables, positive where they are variances."""
    rng = np.random.default_rng(seed)

    def leaf(path, like):
        low = 0.5 if path[-1].key in ("var", "scale") else -1
        return rng.uniform(low, 1, like.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(leaf, shapes(net, image)[1])


@pytest.mark.parametrize(
    ("size", "expected"),
    # torchvision's counts without their classifiers of 1000 classes.
    [
        ("resnet18", 11_689_512 - 513_000),
        ("resnet34", 21_797_672 - 513_000),
        ("resnet50", 25_557_032 - 2_049_000),
    ],
)
def test_parameters(size, expected):
    _, variables = shapes(ResNet(*SIZES[size]))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == expected


def test_parameters_for_volumes():
    """MONAI's resnet18 for volumes without its classifier and the biases before its norms."""
    volume = jax.ShapeDtypeStruct((1, 16, 16, 16, 1), jnp.float32)
    _, variables = shapes(ResNet(*SIZES["resnet18"]), volume)
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert count == 33_161_922 - (2 * 512 + 2) - (128 + 256 + 512)


@pytest.mark.parametrize(
    ("options", "expected"),
    # stride -> rows and channels; the stem's map comes before a max-pool.
    [
        ({}, {2: (49, 4), 4: (25, 4), 8: (13, 8), 16: (7, 16), 32: (4, 32)}),
        ({"stem": "small"}, {2: (49, 4), 4: (25, 8), 8: (13, 16), 16: (7, 32)}),
        ({"stem": "fine"}, {1: (97, 4), 2: (49, 4), 4: (25, 8), 8: (13, 16), 16: (7, 32)}),
        ({"dilate_last": True}, {2: (49, 4), 4: (25, 4), 8: (13, 8), 16: (7, 32)}),
    ],
    ids=str,
)
def test_sizes_are_halved_and_rounded_up(options, expected):
    image = jax.ShapeDtypeStruct((1, 97, 64, 3), jnp.float32)
    out, _ = shapes(ResNet(*SIZES["resnet18"], width=4, **options), image)
    assert {stride: (x.shape[1], x.shape[-1]) for stride, x in out.maps.items()} == expected


def test_bottlenecks_widen_four_times_and_take_any_depths():
    out, _ = shapes(ResNet("bottleneck", (1, 2), width=4))
    assert [out.maps[4].shape, out.maps[8].shape] == [(1, 16, 16, 16), (1, 8, 8, 32)]


# The same in numpy, by the definitions.


def windows(x, size, stride, dilation, padding, fill):
    """What each tap of a kernel sees of x (B, ..., C), in row-major order of the taps."""
    axes = x.ndim - 2
    x = np.pad(x, [(0, 0), *[(padding, padding)] * axes, (0, 0)], constant_values=fill)
    last = [n - dilation * (size - 1) for n in x.shape[1:-1]]
    for tap in itertools.product(range(0, size * dilation, dilation), repeat=axes):
        yield x[:, *(slice(i, i + n, stride) for i, n in zip(tap, last, strict=True))]


def conv_norm(variables, name, x, stride=1, dilation=1):
    kernel = variables["params"][f"conv{name}" if name != "stem" else "stem_conv"]["kernel"]
    norm = f"norm{name}" if name != "stem" else "stem_norm"
    affine, running = variables["params"][norm], variables["batch_stats"][norm]
    size = kernel.shape[0]
    seen = windows(x, size, stride, dilation, dilation * (size // 2), 0)
    taps = kernel.reshape(-1, *kernel.shape[-2:])
    y = sum(part @ tap for part, tap in zip(seen, taps, strict=True))
    y = (y - running["mean"]) / np.sqrt(running["var"] + 1e-5)
    return y * affine["scale"] + affine["bias"]


def relu(x):
    return np.maximum(x, 0)


def block(variables, name, kind, x, stride, dilation):
    inner = {part: variables[part][name] for part in variables}
    if kind == "basic":
        y = relu(conv_norm(inner, "0", x, stride, dilation if stride == 1 else 1))
        y = conv_norm(inner, "1", y, dilation=dilation)
    else:
        y = relu(conv_norm(inner, "0", x))
        y = relu(conv_norm(inner, "1", y, stride, dilation if stride == 1 else 1))
        y = conv_norm(inner, "2", y)
    if "conv_shortcut" in inner["params"]:
        x = conv_norm(inner, "_shortcut", x, stride)
    return relu(x + y)


def by_definition(net, variables, x):
    stem = STEMS[net.stem]
    x = relu(conv_norm(variables, "stem", x.astype(np.float64), stem.stride))
    maps, at = {stem.stride: x}, stem.stride
    if stem.pool:
        x, at = np.max(list(windows(x, 3, 2, 1, 1, -np.inf)), axis=0), 2 * at
    for i, depth in enumerate(net.depths):
        dilated = net.dilate_last and i == len(net.depths) - 1
        at *= 1 if i == 0 or dilated else 2
        for j in range(depth):
            stride = 2 if i > 0 and j == 0 and not dilated else 1
            dilation = 2 if dilated and j > 0 else 1
            x = block(variables, f"stage{i}_block{j}", net.block, x, stride, dilation)
        maps[at] = x
    return maps


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (ResNet("basic", (1, 2), width=2), (2, 21, 18, 3)),
        (ResNet("bottleneck", (1, 2), width=2, stem="small", dilate_last=True), (2, 13, 10, 2)),
        (ResNet("basic", (1, 1), width=2, stem="fine"), (2, 7, 8, 9, 1)),
    ],
    ids=["basic", "bottleneck, dilated", "volumes"],
)
def test_values(net, shape):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    variables = draw(net, x)
    found = jax.jit(functools.partial(net.apply, train=False))(variables, x)
    expected = by_definition(net, variables, x)
    assert found.maps.keys() == expected.keys()
    for stride, other in expected.items():
        scale = np.abs(other).max()
        np.testing.assert_allclose(found.maps[stride], other, rtol=1e-4, atol=1e-4 * scale)
    pooled = np.mean(expected[max(expected)], axis=tuple(range(1, x.ndim - 1)))
    np.testing.assert_allclose(found.pooled, pooled, rtol=1e-4, atol=1e-4 * scale)


def test_statistics_are_shared_between_devices():
    """Two devices with half a batch each do what one does with the whole batch."""
    net = ResNet("basic", (1, 1), width=4, stem="small")
    x = np.random.default_rng(1).normal(size=(4, 16, 16, 3)).astype(np.float32)
    variables = draw(net, x)

    def run(x, axis_name=None):
        return net.apply(variables, x, train=True, axis_name=axis_name, mutable=["batch_stats"])

    whole, changed = jax.jit(run)(x)
    on_two = jax.pmap(functools.partial(run, axis_name="devices"), axis_name="devices")
    # (4, ...) -> (2 devices, 2, ...)
    halves, changed_on_two = on_two(x.reshape(2, 2, *x.shape[1:]))
    last = np.asarray(halves.maps[4]).reshape(whole.maps[4].shape)
    np.testing.assert_allclose(last, whole.maps[4], rtol=1e-3, atol=1e-4)
    for one, two in zip(jax.tree.leaves(changed), jax.tree.leaves(changed_on_two), strict=True):
        np.testing.assert_allclose(two[0], one, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(two[0], two[1])


def test_dtype():
    net = ResNet("basic", (1,), width=4, dtype=jnp.bfloat16)
    out, variables = shapes(net)
    assert out.maps[4].dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
