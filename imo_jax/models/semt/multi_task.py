"""Multi-task network of SEMT: glaucoma and visual field indices from three adjacent B-scans.

Wang et al., "Unifying structure analysis and surrogate-driven function regression for glaucoma OCT
image screening", MICCAI 2019 (arXiv 1907.12927): the maps of the regression module are concatenated
with the backbone's before the classifier's pooling. Gradients flow through both.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.convolution import Conv
from imo_jax.layers.norms import BatchNorm
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.pooled_linear import PooledLinear, global_average
from imo_jax.models.semt.resnet import backbone, last_map
from imo_jax.visual_field import INDICES


class RegressionMaps(nn.Module):
    """Two of 3x3 convolution (no bias), batch norm, ReLU: (B, h, w, C) -> (B, h, w, width)."""

    width: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, axis_name: str | None) -> jax.Array:
        for i in range(2):
            x = Conv(
                self.width, 3, kernel_init=initializers.he_fan_out, dtype=self.dtype,
                name=f"conv{i}",
            )(x)  # fmt: skip
            norm = BatchNorm(dtype=self.dtype, name=f"norm{i}")
            x = nn.relu(norm(x, train=train, axis_name=axis_name))
        return x


class MultiTask(nn.Module):
    """ResNet, regression module, and a classifier on the maps of both."""

    config: SemtConfig

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        *,
        train: bool,
        example_keys: jax.Array | None = None,
        axis_name: str | None = None,
    ) -> dict[str, jax.Array]:
        """Glaucoma logits and visual fields; arguments and results as `networks.NETWORKS` says."""
        del example_keys  # nothing is drawn
        c = self.config
        backbone_maps = last_map(backbone(c)(x, train=train, axis_name=axis_name))
        maps, vf_logits, vf_cams = [backbone_maps], [], []
        for name, indices in branches(c).items():
            branch = RegressionMaps(c.regression_width, c.compute_dtype, name=f"{name}_maps")
            maps.append(branch(backbone_maps, train=train, axis_name=axis_name))
            logits, cams = PooledLinear(len(indices), name=name)(maps[-1])
            vf_logits.append(logits)
            vf_cams.append(cams)
        maps = jnp.concatenate(maps, axis=-1)
        logit, cam = PooledLinear(1, name="classifier")(maps)
        return {
            "logit": logit[:, 0],
            "vf": nn.sigmoid(jnp.concatenate(vf_logits, axis=-1)),
            "features": global_average(backbone_maps),
            "maps": maps,
            "cam": cam[..., 0],
            "vf_cam": jnp.concatenate(vf_cams, axis=-1),
        }


def branches(c: SemtConfig) -> dict[str, tuple[str, ...]]:
    """Name of each regression branch -> the indices that it predicts, in the order of INDICES."""
    if c.regression_branches == 1:
        return {"visual_field": INDICES}
    return {name: (name,) for name in INDICES}
