"""What IMO learns from: noised labels to denoise and grades to predict; gaps are left out."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from imo_jax.diffusion.forward import add_noise
from imo_jax.diffusion.schedule import log_snr
from imo_jax.labels import IGNORE
from imo_jax.layers.resize import nearest
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.fine import details_of
from imo_jax.models.imo.model import IMO, STRIDE
from imo_jax.models.inputs import normalise
from imo_jax.train import keys
from imo_jax.train.eye_losses import EyeLosses, LossConfig, grade_accuracy
from imo_jax.train.objectives import Totals

Batch = dict[str, jax.Array]
LABEL_GRIDS = ("corner", "mean")


@dataclass(frozen=True)
class ObjectiveConfig(LossConfig):
    """Weights and kinds of IMO's losses, and how labels are noised."""

    label_grid: str = field(
        default="corner",
        metadata={
            "help": "what of a mask is noised in each cell of 4 x 4 pixels: corner, its first pixel "
            "(released), or mean, the mean embedding of all, which lies at the cell's centre",
            "choices": LABEL_GRIDS,
        },
    )
    max_time: float = field(
        default=0.999, metadata={"help": "labels are noised at times drawn from [0, this)"}
    )
    self_aligned: float = field(
        default=0.0,
        metadata={"help": "share of examples whose own prediction is noised, not the truth"},
    )
    self_aligned_from: float = field(
        default=0.0, metadata={"help": "fraction of the training after which that begins"}
    )

    def problems(self) -> list[str]:
        """Everything wrong with the values, in words."""
        return super().problems() + [
            f"{name} {getattr(self, name)} is not within 0..1"
            for name in ("max_time", "self_aligned", "self_aligned_from")
            if not 0 <= getattr(self, name) <= 1
        ] + self._unless_in("label_grid", LABEL_GRIDS)


class Draws(NamedTuple):
    """What an example draws for its diffusion loss.

    Attributes:
      time: (B,) float32 in [0, max_time).
      noise: (B, h, w, C) float32, eps of eq. 4.
      aligned: (B,) bool: the example noises its own prediction.
      start_noise: (B, h, w, C) float32, from which that prediction is made.
    """

    time: jax.Array
    noise: jax.Array
    aligned: jax.Array
    start_noise: jax.Array


class ImoObjective:
    """Objective of `imo_jax.train.objectives.Objective` for `models.imo.IMO`.

    Terms as `EyeLosses`: `segmentation` and `dice` are of the denoised logits.

    Args:
      model: the network's config; terms of heads that it has not are left out.
      config: weights and kinds.
      train_steps: length of the training, for `self_aligned_from`.

    Raises:
      ValueError: no term is left, or not one class weight a grade.
    """

    def __init__(self, model: IMOConfig, config: ObjectiveConfig, train_steps: int) -> None:
        self._model, self._config = model, config
        self._network = IMO(model)
        self._aligned_from = config.self_aligned_from * train_steps
        self._losses = EyeLosses(
            config,
            segment=model.segment,
            grade=model.grade,
            auxiliary=model.auxiliary_head,
            coarse=model.segment and model.fine_stride < STRIDE,
            num_grades=model.num_grades,
        )
        self.weights = self._losses.weights
        self.counts = self._losses.counts

    def totals(
        self,
        params: Any,
        batch_stats: Any,
        batch: Batch,
        example_keys: jax.Array,
        *,
        step: jax.Array,
        train: bool,
        axis_name: str | None,
    ) -> Totals:
        """Losses of a part of a batch, at times and noises drawn from the keys."""
        variables = {"params": params, "batch_stats": batch_stats}
        encoded, batch_stats = self._encode(variables, batch, example_keys, train, axis_name)
        extras, logits = {}, {}
        if self._model.segment:
            feature = encoded["fused_feature"]
            draws = self._draw(example_keys, feature.shape[1:], step)
            logits["segmentation"], *coarser = self.denoised_logits(
                variables, feature, details_of(encoded), batch, draws
            )
            logits["coarse"] = tuple(coarser)
        if self._model.auxiliary_head:
            logits["auxiliary"] = (encoded["auxiliary_logits"],)
        if self._model.grade:
            logits["grade"] = encoded["grade_logits"]
            extras["grade_accuracy"] = grade_accuracy(logits["grade"], batch)
        return Totals(self._losses.totals(batch, **logits), batch_stats, extras)

    def denoised_logits(
        self,
        variables: Any,
        feature: jax.Array,
        details: dict[int, jax.Array],
        batch: Batch,
        draws: Draws,
    ) -> tuple[jax.Array, ...]:
        """Class logits (B, h, w, classes) from noised labels, the finest first (`IMO.segment`).

        Args:
          variables: {"params", "batch_stats"}.
          feature: (B, h, w, C), the fused feature.
          details: of the fine path, {} without one.
          batch: `mask` (B, H, W) int32 and `has_mask` (B,) bool of it.
          draws: times and noises.
        """
        apply = self._network.apply
        if self._model.refine == "single":
            return apply(variables, feature, details, None, None, method="segment")
        x_t, level = self.noised_labels(variables, feature, batch, draws)
        return apply(variables, feature, details, x_t, level, method="segment")

    def noised_labels(
        self, variables: Any, feature: jax.Array, batch: Batch, draws: Draws
    ) -> tuple[jax.Array, jax.Array]:
        """x_t (B, h, w, C) of eq. 4 and its log-SNR (B,); arguments as `denoised_logits`."""
        # (B, H, W) -> (B, H/4, W/4); without a mask nothing is known of any pixel
        labels = jnp.where(batch["has_mask"][:, None, None], batch["mask"], IGNORE)
        if self._config.label_grid == "corner":
            height, width = labels.shape[1:]
            labels = nearest(labels, (height // STRIDE, width // STRIDE))
            x0 = self._network.apply(variables, labels, method="embed_labels")
        else:
            x0 = self._network.apply(variables, labels, method="embed_cells")
        if self._config.self_aligned > 0:
            predicted = self._predicted_x0(variables, feature, draws)
            x0 = jnp.where(draws.aligned[:, None, None, None], predicted, x0)
        level = log_snr(draws.time)
        return add_noise(x0, draws.noise, level), level

    def _predicted_x0(self, variables: Any, feature: jax.Array, draws: Draws) -> jax.Array:
        """x0 of what the network itself would say, from noise alone and without gradient.

        Self-aligned denoising (Ji et al., DDP, ICCV 2023): training then meets the mistakes that
        sampling makes. The embedding of the prediction keeps its gradient, as that of labels does.
        """
        apply = self._network.apply
        frozen = jax.lax.stop_gradient((variables, feature))

        def predict() -> jax.Array:
            level = log_snr(jnp.full(feature.shape[:1], self._model.start_time, jnp.float32))
            logits = apply(*frozen, draws.start_noise, level, method="denoise")
            return jax.nn.softmax(logits, axis=-1)

        shape = (*feature.shape[:3], self._model.num_classes)
        # No example of this part is aligned before `self_aligned_from`: then nothing is computed.
        found = jax.lax.cond(jnp.any(draws.aligned), predict, lambda: jnp.zeros(shape, jnp.float32))
        if self._model.label_embedding == "hard":
            return apply(variables, jnp.argmax(found, axis=-1), method="embed_labels")
        return apply(variables, found, method="embed_probabilities")

    def _encode(
        self,
        variables: Any,
        batch: Batch,
        example_keys: jax.Array,
        train: bool,
        axis_name: str | None,
    ) -> tuple[dict[str, jax.Array], Any]:
        """Encoder outputs, and the running statistics after them."""
        inputs = normalise(batch)
        outputs, new = self._network.apply(
            variables,
            inputs["fundus"],
            inputs["oct"],
            inputs["has_oct"],
            train=train,
            example_keys=keys.named(example_keys, "layers") if train else None,
            axis_name=axis_name,
            method="encode",
            mutable=["batch_stats"],
        )
        return outputs, new.get("batch_stats", {})

    def _draw(self, example_keys: jax.Array, grid: tuple[int, ...], step: jax.Array) -> Draws:
        """Times and noises of a part, each a function of its example's key."""

        def normal(name: str) -> jax.Array:
            # Flat and then in shape: the same bits, but a quarter of the time to compile on XLA:CPU.
            each = jax.vmap(lambda key: jax.random.normal(key, (math.prod(grid),), jnp.float32))
            return each(keys.named(example_keys, name)).reshape(-1, *grid)

        def uniform(name: str) -> jax.Array:
            each = jax.vmap(lambda key: jax.random.uniform(key, (), jnp.float32))
            return each(keys.named(example_keys, name))

        begun = step.astype(jnp.float32) >= self._aligned_from
        return Draws(
            time=uniform("time") * self._config.max_time,
            noise=normal("noise"),
            aligned=(uniform("aligned") < self._config.self_aligned) & begun,
            start_noise=normal("start_noise"),
        )
