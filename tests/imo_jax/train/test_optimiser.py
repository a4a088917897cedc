"""Learning rate by hand, AdamW by hand, and the settings of both."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from imo_jax.train.optimiser import OptimiserConfig, learning_rate, make_optimiser
from imo_jax.train.packing import decays, pack, unpack
from imo_jax.train.state import create
from imo_jax.train.weight_decay import kernels_only

CONFIG = OptimiserConfig(
    learning_rate=0.4, lr_decay="poly", lr_power=1.0, warmup_steps=4, warmup_ratio=0.2
)


def rates(steps=10, **settings):
    rate = learning_rate(dataclasses.replace(CONFIG, **settings), steps)
    return [float(rate(jnp.int32(k))) for k in range(steps + 1)]


def test_poly_by_hand():
    # 0.4 * (1 - k/10), times 0.2, 0.4, 0.6, 0.8, 1, 1, ...
    expected = [0.08, 0.144, 0.192, 0.224, 0.24, 0.2, 0.16, 0.12, 0.08, 0.04, 0.0]
    np.testing.assert_allclose(rates(), expected, atol=1e-7)


def test_poly_power_by_hand():
    # half way: 0.4 * 0.5^2; power 0 is constant
    np.testing.assert_allclose(rates(lr_power=2.0)[5], 0.1, atol=1e-7)
    np.testing.assert_allclose(rates(lr_power=0.0)[4:], [0.4] * 7, atol=1e-7)


def test_cosine_by_hand():
    # 0.4 * (1 + cos(pi k / 10)) / 2: at 5 a half, at 10 nothing
    np.testing.assert_allclose(rates(lr_decay="cosine")[5], 0.2, atol=1e-7)
    np.testing.assert_allclose(rates(lr_decay="cosine")[10], 0.0, atol=1e-7)


def test_no_warmup():
    np.testing.assert_allclose(rates(warmup_steps=0)[:2], [0.4, 0.36], atol=1e-7)


def test_released_schedule():
    """1,500 warm-up steps of 100,000 from ratio 1e-6 at 6e-5, as mmcv computes them."""
    config = OptimiserConfig(learning_rate=6e-5, lr_decay="poly", warmup_steps=1500)
    rate = learning_rate(config, 100_000)
    for k in (0, 1, 750, 1499, 1500, 50_000):
        regular = 6e-5 * (1 - k / 100_000)
        factor = 1 - (1 - k / 1500) * (1 - 1e-6) if k < 1500 else 1
        np.testing.assert_allclose(float(rate(jnp.int32(k))), regular * factor, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"), [({"lr_decay": "step"}, "poly"), ({"warmup_steps": 11}, "warmup_steps")]
)
def test_bad_schedule_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        learning_rate(dataclasses.replace(CONFIG, **settings), 10)


PARAMS = {"dense": {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([0.5, 0.5])}}
GRADIENTS = {"dense": {"kernel": jnp.array([[3.0, 0.0]]), "bias": jnp.array([4.0, 0.0])}}


def update(steps=1, **settings):
    config = OptimiserConfig(**({"clip_norm": 0.0, "weight_decay": 0.1} | settings))
    mask = lambda params: {"dense": {"kernel": True, "bias": False}}
    optimiser = make_optimiser(config, lambda step: 0.01, mask)
    params, state = PARAMS, optimiser.init(PARAMS)
    for k in range(steps):
        gradients = jax.tree.map(lambda g, k=k: g / (1.0 + k), GRADIENTS)
        updates, state = optimiser.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    return jax.tree.map(np.asarray, params)


def test_adamw_by_hand():
    """First step: gradient over its size, so lr * sign(g); the kernel also loses lr * wd * w."""
    new = update()
    np.testing.assert_allclose(new["dense"]["bias"], [0.49, 0.5], atol=1e-6)
    np.testing.assert_allclose(new["dense"]["kernel"], [[1 - 0.01 - 0.001, -2 + 0.002]], atol=1e-6)


def test_second_step_by_hand():
    """g = 4 then 2 on the bias, bias-corrected mean and mean square."""
    mean = (0.9 * 0.1 * 4 + 0.1 * 2) / (1 - 0.9**2)
    square = (0.999 * 0.001 * 16 + 0.001 * 4) / (1 - 0.999**2)
    expected = 0.5 - 0.01 - 0.01 * mean / np.sqrt(square)
    np.testing.assert_allclose(update(steps=2)["dense"]["bias"][0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"adam_b1": 0.5}, {"adam_b2": 0.9}, {"adam_eps": 1.0}, {"weight_decay": 0.0}]
)
def test_each_setting_changes_the_second_step(settings):
    changed, base = update(2, **settings), update(2)
    assert np.abs(changed["dense"]["kernel"] - base["dense"]["kernel"]).max() > 1e-5


def test_clipping_by_hand():
    """The global norm of the gradients is 5: clipped to 1 they are a fifth, which eps shows."""
    eps = 1.0
    clipped = update(clip_norm=1.0, adam_eps=eps)["dense"]["bias"][0]
    np.testing.assert_allclose(clipped, 0.5 - 0.01 * 0.8 / (0.8 + eps), atol=1e-6)
    unclipped = update(clip_norm=6.0, adam_eps=eps)["dense"]["bias"][0]
    np.testing.assert_allclose(unclipped, 0.5 - 0.01 * 4 / (4 + eps), atol=1e-6)


def test_the_encoder_may_learn_more_slowly():
    """Its whole update, weight decay included, is multiplied; its gradient still counts in the norm."""
    params = {"encoder": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)},
              "head": {"kernel": jnp.ones((3, 2))}}  # fmt: skip
    gradient = jax.tree.map(lambda x: 0.5 * x, params)

    def updates(rate):
        config = OptimiserConfig(learning_rate=0.1, encoder_rate=rate)
        adamw = make_optimiser(config, lambda k: 0.1, decays, ("encoder",))
        state = create({"params": params}, adamw, decay_mask=kernels_only, keep_ema=False)
        packed = pack(gradient, kernels_only)
        return unpack(adamw.update(packed, state.opt_state, state.params)[0])

    full, slow = updates(1.0), updates(0.2)
    np.testing.assert_array_equal(slow["head"]["kernel"], full["head"]["kernel"])
    for name in ("kernel", "bias"):
        np.testing.assert_allclose(slow["encoder"][name], 0.2 * full["encoder"][name], rtol=1e-6)
        assert np.abs(full["encoder"][name]).min() > 0.01
