"""Views of one drawn eye under many random numbers, for the tests of what augmentation does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from imo_jax.augment import eye
from imo_jax.augment.config import AugmentConfig
from imo_jax.augment.draws import augmentation_keys

STILL = AugmentConfig(
    crop_size=64, crop_mode="none", scale_min=1.0, scale_max=1.0, rotate_degrees=0.0, flip=False,
    colour_probability=0.0, oct_gain=0.0, oct_gamma=0.0, oct_speckle=0.0, oct_shift=0.0,
    oct_withheld=0.0,
)  # fmt: skip


def drawn_eye(side=64, centre=(40.0, 22.0), radius=9.0):
    """An eye whose photograph is 200 exactly where its mask is disc, else 50."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    distance = np.hypot(rows - centre[0], columns - centre[1])
    mask = np.zeros((side, side), np.uint8)
    mask[distance < radius] = 1
    mask[distance < radius / 2] = 2
    fundus = np.where(mask[..., None] > 0, 200, 50).astype(np.uint8).repeat(3, axis=2)
    return {"fundus": fundus, "mask": mask, "has_mask": np.bool_(True)}


def keys(number, seed=0):
    return augmentation_keys(jax.random.key(seed), jnp.arange(number, dtype=jnp.uint32))


@functools.partial(jax.jit, static_argnames=("config", "oct_shape"))
def _views(batch, keys, config, oct_shape):
    draws = eye.draw_eyes(keys, config, oct_shape)
    return eye.unpack_eyes(eye.apply_eyes(batch, draws, config), oct_shape[2] if oct_shape else 0)


def views(example, config, number=20, seed=0):
    """So many random views of an eye, as arrays (number, ...)."""
    shape = example["oct"].shape if "oct" in example else None
    batch = {name: np.stack([value] * number) for name, value in example.items()}
    return jax.tree.map(np.asarray, _views(batch, keys(number, seed), config, shape))


def centroid(weights):
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
    return np.array([(weights * rows).sum(), (weights * columns).sum()]) / weights.sum()
