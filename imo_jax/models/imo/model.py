"""IMO: joint glaucoma grading and optic disc and cup segmentation from fundus and OCT."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.labels import IGNORE
from imo_jax.layers.gradient import give_way, scale_gradient
from imo_jax.models.imo.auxiliary import AuxiliaryHead
from imo_jax.models.imo.cmfa import CMFA
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.decoder import Decoder, Fusion, NoiseLevel
from imo_jax.models.imo.encoders import FundusEncoder, OctEncoder
from imo_jax.models.imo.fine import Details, FinePath, details_of
from imo_jax.models.imo.grading import GradingHead
from imo_jax.models.imo.shape import shape_measures

STRIDE = 4  # features, labels under diffusion and logits live on a grid of 1/4 the image size


class IMO(nn.Module):
    """The network. Methods: `encode` once an eye, `denoise` once a sampling step.

    Variables: "params", and "batch_stats" of the OCT encoder, the grading and auxiliary heads,
    and of a backbone with batch norms.
    """

    config: IMOConfig

    def setup(self) -> None:
        c = self.config
        self.fundus_encoder = FundusEncoder(c)
        if c.use_oct:
            self.oct_encoder = OctEncoder(c)
        self.cmfa = CMFA(c)
        if c.grade:
            self.grading_head = GradingHead(c)
        if c.segment:
            self.decoder = Decoder(c)
            if c.fine_stride < STRIDE:
                self.details, self.fine_path = Details(c), FinePath(c)
            if c.refine == "ddim":
                self.fusion = Fusion(c)
                self.noise_level = NoiseLevel(c)
                self.label_embedding = self.param(
                    "label_embedding",
                    nn.initializers.normal(1.0),
                    (c.num_classes + 1, c.feature_dim),
                    jnp.float32,
                )
        if c.auxiliary_head:
            self.auxiliary = AuxiliaryHead(c)

    def __call__(self, fundus: jax.Array, oct_volume: jax.Array | None) -> dict[str, jax.Array]:
        """Touches every parameter: for `init` and for counting; arguments as `encode`."""
        outputs = self.encode(fundus, oct_volume, train=False)
        if self.config.segment:
            feature = outputs["fused_feature"]
            labels = jnp.zeros(feature.shape[:3], jnp.int32)
            x_t = self.embed_labels(labels) if self.config.refine == "ddim" else None
            level = jnp.zeros(feature.shape[:1], jnp.float32)
            outputs["logits"] = self.segment(feature, details_of(outputs), x_t, level)[0]
        return outputs

    def encode(
        self,
        fundus: jax.Array,
        oct_volume: jax.Array | None,
        has_oct: jax.Array | None = None,
        *,
        train: bool,
        example_keys: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> dict[str, jax.Array]:
        """Everything that does not depend on x_t.

        Args:
          fundus: (B, H, W, 3) float32, normalised (inputs.normalise).
          oct_volume: (B, h, w, D) float32 in 0..1; None = no eye has one.
          has_oct: (B,) bool; None = all have one. A missing volume contributes exactly nothing.
          train: batch norms use and move batch statistics (apply with mutable=["batch_stats"]).
          example_keys: (B,) typed PRNG keys of dropout and drop-path; None = deterministic.
          axis_name: devices over which batch statistics are synchronised.

        Returns:
          `backbone_stage0..`, `fundus_stride2` (where the encoder has such a map),
          `fundus_feature`, `oct_feature` (where there is an OCT encoder and a volume),
          `fused_feature` (B, H/4, W/4, C); `detail2`, `detail1` where shapes are decoded so fine;
          `grade_logits` (B, num_grades) and `auxiliary_logits` (B, H/4, W/4, num_classes), both
          float32, where the config has them.
        """
        c = self.config
        mode = {"train": train, "example_keys": example_keys, "axis_name": axis_name}
        outputs = self.fundus_encoder(fundus, **mode)
        feature = outputs["fundus_feature"]
        oct_feature = None
        if c.use_oct and oct_volume is not None:
            if has_oct is None:
                has_oct = jnp.ones(fundus.shape[:1], bool)
            oct_feature = self.oct_encoder(
                oct_volume, feature.shape[1:3], train=train, has_oct=has_oct, axis_name=axis_name
            )
            outputs["oct_feature"] = oct_feature
        feature, of_grade = self._for_grading(feature)
        fused = self.cmfa(feature, oct_feature)
        outputs["fused_feature"] = fused
        if c.segment and c.fine_stride < STRIDE:
            maps = {2: outputs["fundus_stride2"]} if "fundus_stride2" in outputs else {}
            outputs |= self.details(fundus, maps)
        if c.auxiliary_head:
            outputs["auxiliary_logits"] = self.auxiliary(fused, **mode)
        if c.grade:
            seen = fused if of_grade is None else self.cmfa(of_grade, oct_feature)
            measures = self._measures(outputs) if c.grade_shapes else None
            outputs["grade_logits"] = self.grading_head(seen, measures=measures, **mode)
        return outputs

    def _measures(self, outputs: dict[str, jax.Array]) -> jax.Array:
        """What the auxiliary head segmented, measured; the grade does not teach it."""
        probabilities = jax.nn.softmax(outputs["auxiliary_logits"], axis=-1)
        return shape_measures(jax.lax.stop_gradient(probabilities))

    def _for_grading(self, feature: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        """The fundus feature for the shapes, and for the grade where its gradient differs."""
        c = self.config
        if not c.grade or (c.grade_gradient == 1 and not c.grade_gives_way):
            return feature, None
        of_grade = feature
        if c.grade_gives_way:
            feature, of_grade = give_way(feature)
        return feature, scale_gradient(of_grade, c.grade_gradient)

    def denoise(
        self, feature: jax.Array, x_t: jax.Array | None, log_snr: jax.Array | None
    ) -> jax.Array:
        """Class logits from the fused feature and the noisy label embedding.

        Args:
          feature: (B, h, w, C), `fused_feature` of `encode`.
          x_t: (B, h, w, C) float32; not looked at (may be None) where refine is "single".
          log_snr: (B,) float32; likewise.

        Returns:
          (B, h, w, num_classes) float32, the prediction of x0 in class space.
        """
        return self._denoise(feature, x_t, log_snr)[0]

    def segment(
        self,
        feature: jax.Array,
        details: dict[int, jax.Array],
        x_t: jax.Array | None,
        log_snr: jax.Array | None,
    ) -> tuple[jax.Array, ...]:
        """As `denoise`, but all class logits there are, the finest first.

        Args:
          details: of `encode` (`fine.details_of`); with a fine path the first logits are of its stride, the second
            ones of the decoder's grid, from which x0 is predicted.
        """
        logits, decoded = self._denoise(feature, x_t, log_snr)
        return (self.fine_path(decoded, details), logits) if details else (logits,)

    def _denoise(
        self, feature: jax.Array, x_t: jax.Array | None, log_snr: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        if self.config.refine == "single":
            return self.decoder(feature, None)
        x = self.fusion.of_feature(feature) + self.fusion.of_state(x_t)
        return self.decoder(x, self.noise_level(log_snr))

    # The parts of `denoise`, for a sampler that computes each no more often than it must.

    def fuse_feature(self, feature: jax.Array) -> jax.Array:
        """(..., C) -> W_f feature + bias."""
        return self.fusion.of_feature(feature)

    def fuse_state(self, x_t: jax.Array) -> jax.Array:
        """(..., C) -> W_x x_t."""
        return self.fusion.of_state(x_t)

    def modulation(self, log_snr: jax.Array) -> jax.Array:
        """(N,) float32 -> (N, decoder_layers, 2, C): scale and shift of each decoder layer."""
        return self.noise_level(log_snr)

    def embed_time(self, log_snr: jax.Array) -> jax.Array:
        """(N,) float32 -> (N, time_dim)."""
        return self.noise_level.embed(log_snr)

    def decode(self, x: jax.Array, film: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Fused input (B, h, w, C) and `modulation` (B, layers, 2, C) -> logits, features."""
        return self.decoder(x, film)

    def fine_logits(self, decoded: jax.Array, details: dict[int, jax.Array]) -> jax.Array:
        """Features of `decode` (N B, h, w, C) and `details` of B eyes -> logits of the fine path."""
        return self.fine_path(decoded, details)

    def class_embeddings(self) -> jax.Array:
        """(num_classes + 1, C) float32: (2 sigmoid(E) - 1) signal_scale; the last row is ignore."""
        return (2 * nn.sigmoid(self.label_embedding) - 1) * self.config.signal_scale

    def embed_labels(self, labels: jax.Array) -> jax.Array:
        """x0 of class ids: (B, h, w) int32, 255 = ignore -> (B, h, w, C) float32."""
        c = self.config
        index = jnp.where(labels == IGNORE, c.ignore_index, labels)
        # A product with one-hot rows: its gradient is a matmul, a lookup's is a scatter.
        one_hot = jax.nn.one_hot(index, c.num_classes + 1, dtype=jnp.float32)
        return _mix(one_hot, self.class_embeddings())

    def embed_cells(self, labels: jax.Array) -> jax.Array:
        """Mean x0 of the ids in each cell of the grid: (B, H, W) int32 -> (B, H/4, W/4, C) float32.

        The grid's own centres: a mask and what is predicted of it lie in the same place.
        """
        c = self.config
        index = jnp.where(labels == IGNORE, c.ignore_index, labels)
        one_hot = jax.nn.one_hot(index, c.num_classes + 1, dtype=jnp.float32)
        batch, height, width, classes = one_hot.shape
        # (B, H, W, K+1) -> (B, h, 4, w, 4, K+1) -> (B, h, w, K+1): shares of the ids in a cell
        cells = one_hot.reshape(batch, height // STRIDE, STRIDE, width // STRIDE, STRIDE, classes)
        return _mix(jnp.mean(cells, axis=(2, 4)), self.class_embeddings())

    def embed_probabilities(self, probabilities: jax.Array) -> jax.Array:
        """Expected x0: (B, h, w, num_classes) float32 -> (B, h, w, C) float32."""
        return _mix(probabilities, self.class_embeddings()[: self.config.num_classes])


def _mix(weights: jax.Array, rows: jax.Array) -> jax.Array:
    """(B, h, w, K) x (K, C) -> (B, h, w, C), not rounded to TF32."""
    return jnp.einsum("bhwk,kc->bhwc", weights, rows, precision=jax.lax.Precision.HIGHEST)
