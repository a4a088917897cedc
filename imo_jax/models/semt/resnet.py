"""ResNet with one logit: 2D-ResNet on B-scan triplets, 3D-ResNet on volumes."""

import flax.linen as nn
import jax

from imo_jax.backbones.encoder import Encoding
from imo_jax.backbones.resnet import ResNet
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.pooled_linear import PooledLinear, global_average


def backbone(c: SemtConfig) -> ResNet:
    """The ResNet that the 2-D and 3-D networks share, as their submodule `backbone`."""
    return ResNet("basic", c.stage_sizes, c.width, c.stem, dtype=c.compute_dtype, name="backbone")


def last_map(encoding: Encoding) -> jax.Array:
    """The coarsest map."""
    return encoding.maps[max(encoding.maps)]


class ResNetClassifier(nn.Module):
    """ResNet, global average pooling, one linear layer."""

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
        """Glaucoma logits; arguments and results as `networks.NETWORKS` says."""
        del example_keys  # nothing is drawn
        maps = last_map(backbone(self.config)(x, train=train, axis_name=axis_name))
        logit, cam = PooledLinear(1, name="classifier")(maps)
        return {
            "logit": logit[:, 0],
            "features": global_average(maps),
            "maps": maps,
            "cam": cam[..., 0],
        }
