"""A backbone on the fundus photograph, by choice a second stem for the OCT, a linear layer."""

import flax.linen as nn
import jax

from imo_jax.layers.linear import Linear
from imo_jax.layers.oct_stem import OctStem
from imo_jax.layers.stochastic import Dropout
from imo_jax.models.graders.config import GraderConfig


class Grader(nn.Module):
    """Any encoder. Modules: `backbone`, `oct_stem` where there is one, `head`."""

    config: GraderConfig

    @nn.compact
    def __call__(
        self,
        fundus: jax.Array,
        oct_volume: jax.Array | None = None,
        has_oct: jax.Array | None = None,
        *,
        train: bool,
        example_keys: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> dict[str, jax.Array]:
        """Logits of the grades.

        Args:
          fundus: (B, H, W, 3) float32, normalised (models/inputs.py); H and W at least 32.
          oct_volume: (B, h, w, D) float32 in 0..1, or None = no eye has one; looked at where the
            config says with_oct.
          has_oct: (B,) bool, None = all have one. A missing volume contributes exactly nothing.
          train: batch norms use and move batch statistics (apply with mutable=["batch_stats"]).
          example_keys: (B,) typed PRNG keys of dropout and drop-path; None = deterministic.
          axis_name: devices over which batch statistics are synchronised.

        Returns:
          grade_logits: (B, num_grades) float32.
          features: (B, C) float32, what the linear layer sees before its dropout.
        """
        c = self.config
        mode = {"train": train, "axis_name": axis_name}
        added = None
        if c.with_oct and oct_volume is not None:
            stem = OctStem(c.backbone.stem, dtype=c.compute_dtype, name="oct_stem")
            added = stem(oct_volume, has_oct, **mode)
        backbone = c.backbone.module(
            pooled=True, drop_path=c.drop_path, image_size=c.layout_size, dtype=c.compute_dtype,
            name="backbone",
        )  # fmt: skip
        features = backbone(fundus, added, example_keys=example_keys, **mode).pooled
        x = Dropout(c.dropout, name="dropout")(features, example_keys)
        # A small start: fine-tuning then begins with the backbone's own features.
        small = nn.initializers.truncated_normal(0.02)
        head = Linear(c.num_grades, kernel_init=small, bias_init=nn.initializers.zeros, name="head")
        return {"grade_logits": head(x), "features": features}
