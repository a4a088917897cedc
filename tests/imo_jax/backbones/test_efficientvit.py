"""EfficientViT against a reference in numpy, written from the paper: cascade, windows, merging."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.backbones.efficientvit import (
    KEY_CHANNELS,
    Block,
    CascadedGroupAttention,
    Downsample,
    EfficientViT,
    WindowAttention,
)

HEADS, KERNELS, SIDE, CHANNELS = 2, (5, 3), 3, 6
EPS = 1e-5


def drawn(module, x):
    """Random variables, positive where they are variances."""
    shapes = jax.eval_shape(
        functools.partial(module.init, train=False, axis_name=None), jax.random.key(0), x
    )

    def leaf(path, like):
        name = jax.tree_util.keystr(path)
        rng = np.random.default_rng(list(name.encode()))
        if name.endswith("['var']"):
            return rng.uniform(0.5, 2, like.shape).astype(np.float32)
        return (0.5 * rng.normal(size=like.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(leaf, dict(shapes))


def run(module, variables, x):
    apply = functools.partial(module.apply, train=False, axis_name=None)
    return np.asarray(jax.jit(apply)(variables, x))


class Reference:
    """The layers of one example (h, w, C), from the variables below a path."""

    def __init__(self, variables, *path):
        self.params, self.stats = variables["params"], variables["batch_stats"]
        for name in path:
            self.params, self.stats = self.params[name], self.stats.get(name, {})

    def below(self, name):
        return Reference({"params": self.params, "batch_stats": self.stats}, name)

    def norm(self, x):
        p, s = self.params["norm"], self.stats["norm"]
        return (x - s["mean"]) / np.sqrt(s["var"] + EPS) * p["scale"] + p["bias"]

    def conv1(self, x):
        return self.norm(x @ self.params["conv"]["kernel"])

    def depthwise(self, x, stride=1):
        """Cross-correlation, channel by channel."""
        kernel = self.params["conv"]["kernel"]
        r = kernel.shape[0] // 2
        padded = np.pad(x, ((r, r), (r, r), (0, 0)))
        rows, columns = (range(0, n, stride) for n in x.shape[:2])
        out = [
            [(padded[i : i + 2 * r + 1, j : j + 2 * r + 1] * kernel).sum((0, 1)) for j in columns]
            for i in rows
        ]
        return self.norm(np.array(out))

    def mlp(self, x):
        return self.below("contract").conv1(np.maximum(self.below("expand").conv1(x), 0))

    def attention(self, x):
        """Cascaded group attention: eq. 2 and 3 of the paper, biases by distance."""
        height, width, channels = x.shape
        share = channels // HEADS
        previous, outputs = 0, []
        for head in range(HEADS):
            part = x[..., head * share : (head + 1) * share] + previous
            qkv = self.below(f"qkv{head}").conv1(part)
            q, k, v = np.split(qkv, [KEY_CHANNELS, 2 * KEY_CHANNELS], axis=-1)
            q = self.below(f"query{head}").depthwise(q)
            previous = np.zeros((height, width, share))
            for at in np.ndindex(height, width):
                scores = np.empty((height, width))
                for other in np.ndindex(height, width):
                    distance = abs(at[0] - other[0]) * SIDE + abs(at[1] - other[1])
                    scores[other] = q[at] @ k[other] / np.sqrt(KEY_CHANNELS)
                    scores[other] += self.params["bias"][head, distance]
                weights = np.exp(scores - scores.max())
                previous[at] = np.tensordot(weights / weights.sum(), v, axes=2)
            outputs.append(previous)
        return self.below("output").conv1(np.maximum(np.concatenate(outputs, axis=-1), 0))

    def windows(self, x):
        attention = self.below("attention")
        height, width, _ = x.shape
        if max(height, width) <= SIDE:
            return attention.attention(x)
        padded = np.pad(x, ((0, -height % SIDE), (0, -width % SIDE), (0, 0)))
        out = np.zeros_like(padded)
        for i in range(0, padded.shape[0], SIDE):
            for j in range(0, padded.shape[1], SIDE):
                window = np.s_[i : i + SIDE, j : j + SIDE]
                out[window] = attention.attention(padded[window])
        return out[:height, :width]

    def block(self, x):
        x = x + self.below("mix0").depthwise(x)
        x = x + self.below("mlp0").mlp(x)
        x = x + self.below("windows").windows(x)
        x = x + self.below("mix1").depthwise(x)
        return x + self.below("mlp1").mlp(x)

    def downsample(self, x):
        x = x + self.below("mix_before").depthwise(x)
        x = x + self.below("mlp_before").mlp(x)
        x = np.maximum(self.below("expand").conv1(x), 0)
        x = np.maximum(self.below("depthwise").depthwise(x, stride=2), 0)
        gate = self.params["squeeze_excite"]
        hidden = np.maximum(x.mean((0, 1)) @ gate["squeeze"]["kernel"] + gate["squeeze"]["bias"], 0)
        gate = hidden @ gate["excite"]["kernel"] + gate["excite"]["bias"]
        x = self.below("contract").conv1(x / (1 + np.exp(-gate)))
        x = x + self.below("mix_after").depthwise(x)
        return x + self.below("mlp_after").mlp(x)


def image(height, width):
    rng = np.random.default_rng(1)
    return rng.normal(size=(2, height, width, CHANNELS)).astype(np.float32)


@pytest.mark.parametrize(
    ("module", "name", "size"),
    [
        (CascadedGroupAttention(HEADS, KERNELS, SIDE), "attention", (3, 2)),
        (WindowAttention(HEADS, KERNELS, SIDE), "windows", (5, 3)),
        (Downsample(8), "downsample", (5, 4)),
        pytest.param(Block(HEADS, KERNELS, SIDE), "block", (4, 3), marks=pytest.mark.slow),
    ],
    ids=["attention", "windows", "downsample", "block"],
)
def test_values(module, name, size):
    x = image(*size)
    variables = drawn(module, x)
    found = run(module, variables, x)
    expected = getattr(Reference(variables), name)(x[1])
    np.testing.assert_allclose(found[1], expected, atol=1e-4, rtol=1e-4)


def test_windows_follow_the_image_size():
    """Side of the windows: at most 7, and no more than the stage's map has cells."""
    sides = {224: (7, 7, 4), 512: (7, 7, 7), 64: (4, 2, 1), 120: (7, 4, 2)}
    for size, expected in sides.items():
        net = EfficientViT((1, 1, 1), (8, 16, 16), (1, 1, 1), (3,), image_size=size)
        init = functools.partial(net.init, train=False)
        shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
        for i, side in enumerate(expected):
            bias = shapes[f"stage{i}_block0"]["windows"]["attention"]["bias"]
            assert bias.shape == (1, side * side)


def test_stages_halve_and_round_up():
    net = EfficientViT((1, 1, 1), (8, 16, 24), (1, 1, 1), (3,))
    init = functools.partial(net.init_with_output, train=False)
    out, _ = jax.eval_shape(init, jax.random.key(0), jnp.zeros((2, 96, 150, 3)))
    assert {stride: x.shape[1:] for stride, x in out.maps.items()} == {
        16: (6, 10, 8), 32: (3, 5, 16), 64: (2, 3, 24),
    }  # fmt: skip
    assert out.pooled.shape == (2, 24)
