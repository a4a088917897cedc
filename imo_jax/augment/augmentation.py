"""Augmentation as the training loop runs it: two programs before the step, and how the step reads them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from imo_jax.augment import eye, scan
from imo_jax.augment.config import AugmentConfig
from imo_jax.augment.draws import augmentation_keys
from imo_jax.augment.scan_config import ScanAugmentConfig

Batch = dict[str, jax.Array]


@dataclass(frozen=True)
class Augmentation:
    """Pure functions that make random views of a batch (B, ...) of examples.

    Random numbers are a program of their own: XLA:CPU would compute the few numbers of an example
    anew for each of its pixels where it could.

    Attributes:
      draw: (B,) typed keys -> the examples' random numbers.
      apply: (batch, random numbers) -> the batch augmented, images as words.
      unpack: that batch, on any leading axes -> what objectives read.
    """

    draw: Callable[[jax.Array], Any]
    apply: Callable[[Batch, Any], Batch]
    unpack: Callable[[Batch], Batch]

    def draws(self, index: jax.Array, *, key: jax.Array) -> Any:
        """Random numbers of examples (accumulation, B) by global index, with leading axis
        accumulation * B; `key` is the run's."""
        return self.draw(augmentation_keys(key, index.reshape(-1)))

    def views(self, batch: Batch, draws: Any) -> Batch:
        """A device's share (accumulation, B, ...) of a batch augmented; `draws` as above gives them."""
        parts = batch["index"].shape
        # (accumulation, B, ...) -> (accumulation * B, ...), and back
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), batch)
        return jax.tree.map(lambda x: x.reshape(*parts, *x.shape[1:]), self.apply(flat, draws))


def of_eyes(config: AugmentConfig, oct_shape: tuple[int, int, int] | None) -> Augmentation:
    """For eyes; oct_shape: (depth, width, slices) of their OCT, None without."""
    return Augmentation(
        functools.partial(eye.draw_eyes, config=config, oct_shape=oct_shape),
        functools.partial(eye.apply_eyes, config=config),
        functools.partial(eye.unpack_eyes, slices=oct_shape[2] if oct_shape else 0),
    )


def of_images(config: ScanAugmentConfig, part: str, shape: tuple[int, ...]) -> Augmentation:
    """For screening; part: "scan" or "cube", shape: of one."""
    return Augmentation(
        functools.partial(scan.draw_images, part=part, shape=shape, config=config),
        functools.partial(scan.apply_images, config=config),
        functools.partial(scan.unpack_images, part=part, shape=shape),
    )
