"""AdamW and its learning rate over the steps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax

from imo_jax.settings.fields import CONTINUE
from imo_jax.train import ema
from imo_jax.train.packing import multiplied
from imo_jax.train.weight_decay import DECAY_MASKS

Schedule = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class OptimiserConfig:
    """Settings of the optimiser and of the average kept for evaluation."""

    learning_rate: float = field(default=1e-3, metadata={"help": "peak learning rate", "above": 0})
    encoder_rate: float = field(
        default=1.0,
        metadata={
            "help": "learning rate of the encoder as a factor of the others'; 0 = it is frozen, its "
            "running statistics included",
            "at_least": 0,
        },
    )
    lr_decay: str = field(
        default="cosine",
        metadata={"help": "fall of the learning rate to 0", "choices": ("poly", "cosine")},
    )
    lr_power: float = field(
        default=1.0, metadata={"help": "power of the poly decay; 0 = constant", "at_least": 0}
    )
    warmup_steps: int = field(
        default=100,
        metadata={
            "help": "steps of linear warm-up; 0 = none; a tenth of a run that is shorter",
            "at_least": 0,
        },
    )
    warmup_ratio: float = field(
        default=1e-6,
        metadata={
            "help": "share of the learning rate at the first warm-up step",
            "at_least": 0,
            "at_most": 1,
        },
    )
    adam_b1: float = field(
        default=0.9, metadata={"help": "decay of Adam's mean", "at_least": 0, "below": 1}
    )
    adam_b2: float = field(
        default=0.999, metadata={"help": "decay of Adam's mean square", "at_least": 0, "below": 1}
    )
    adam_eps: float = field(default=1e-8, metadata={"help": "Adam's epsilon", "above": 0})
    weight_decay: float = field(
        default=0.01, metadata={"help": "decoupled weight decay", "at_least": 0}
    )
    weight_decay_on: str = field(
        default="kernels",
        metadata={
            "help": "what decays: kernels (no bias, norm, layer scale or embedding), or, as in the "
            "released code, all but what its names call a norm",
            "choices": tuple(DECAY_MASKS),
        },
    )
    clip_norm: float = field(
        default=1.0,
        metadata={"help": "largest global gradient norm; 0 = no clipping", "at_least": 0},
    )
    accumulation: int = field(
        default=1,
        metadata={
            "help": "parts that a device's share of a batch is worked through in",
            "at_least": 1,
        },
    )
    remat: bool = field(
        default=False,
        metadata={
            "help": "compute the insides of blocks again for the gradient instead of keeping them: "
            "less memory, a third more time",
            "changes": (CONTINUE,),
        },
    )
    ema_decay: float = field(
        default=0.99,
        metadata={
            "help": "decay of the parameter average used for evaluation; 0 = no average",
            "at_least": 0,
            "below": 1,
        },
    )
    ema_start: str = field(
        default="warmup",
        metadata={"help": "how the average begins", "choices": tuple(ema.STARTS)},
    )


# Factor of the learning rate after a fraction of all steps -> (fraction, power).
DECAYS = {
    "poly": lambda fraction, power: (1.0 - fraction) ** power,
    "cosine": lambda fraction, power: 0.5 * (1.0 + jnp.cos(jnp.pi * fraction)),
}


def learning_rate(config: OptimiserConfig, steps: int) -> Schedule:
    """Learning rate as a function of the steps done, 0..steps.

    lr(k) = peak * decay(k / steps) * (w + (1 - w) * ratio), with w = min(k / warmup_steps, 1). The
    warm-up multiplies the decayed rate (mmcv's order), so the two join without a jump.

    Raises:
      ValueError: unknown decay, or a warm-up that is longer than the run.
    """
    if config.lr_decay not in DECAYS:
        raise ValueError(f"lr_decay is {config.lr_decay!r}; choose one of {sorted(DECAYS)}")
    if config.warmup_steps > steps:
        raise ValueError(f"warmup_steps {config.warmup_steps} is more than the run's {steps} steps")

    def rate(done: jax.Array) -> jax.Array:
        done = jnp.asarray(done, jnp.float32)
        decay = DECAYS[config.lr_decay](jnp.minimum(done / steps, 1.0), config.lr_power)
        if config.warmup_steps == 0:
            return config.learning_rate * decay
        warm = jnp.minimum(done / config.warmup_steps, 1.0)
        return config.learning_rate * decay * (warm + (1.0 - warm) * config.warmup_ratio)

    return rate


def make_optimiser(
    config: OptimiserConfig,
    rate: Schedule,
    decay_mask: Callable[[Any], Any],
    encoder: tuple[str, ...] = (),
) -> optax.GradientTransformation:
    """Clipping by global norm, then AdamW (Loshchilov and Hutter 2019) at learning rate `rate`.

    Args:
      config: its clipping, Adam and weight decay settings.
      rate: steps done -> learning rate.
      decay_mask: params -> tree of bool, True where weights decay; see `DECAY_MASKS`.
      encoder: path of the parameters, packed ones, whose updates `encoder_rate` multiplies.
    """
    adamw = optax.adamw(
        rate,
        b1=config.adam_b1,
        b2=config.adam_b2,
        eps=config.adam_eps,
        weight_decay=config.weight_decay,
        mask=decay_mask,
    )
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    chain = optax.chain(clip, adamw)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        # optax raises its float decays to the power of an integer count
        with jax.numpy_dtype_promotion("standard"):
            updates, state = chain.update(updates, state, params)
        if config.encoder_rate != 1:
            updates = multiplied(updates, encoder, config.encoder_rate)
        return updates, state

    return optax.GradientTransformation(chain.init, update)
