"""The screening networks by name, and what they have in common."""

import flax.linen as nn

from imo_jax.models.semt.cnn3d import CNN3D
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.multi_task import MultiTask
from imo_jax.models.semt.resnet import ResNetClassifier

# Every network is called the same way:
#
#   apply(variables, x, train=bool, example_keys=None, axis_name=None)
#
# x: `inputs.normalise` of a batch, (B, H, W, 3) or (B, slices, depth, width, 1) float32, any size.
# train: batch norms use and move batch statistics (apply with mutable=["batch_stats"]).
# example_keys: (B,) typed PRNG keys of stochastic layers; None = deterministic.
# axis_name: devices over which batch statistics are synchronised.
#
# and returns, float32 but for `maps`, with h, w (or s, d, w) the size of the last map:
#
# logit (B,): of glaucoma.
# vf (B, 3): visual field indices in the scale of imo_jax/visual_field.py; of "multi_task" only.
# features (B, C): global average of the backbone's last map, not negative.
# maps (B, h, w, K): what the classifier averages.
# cam (B, h, w): share of each position in the logit; their mean plus the bias is the logit.
# vf_cam (B, h, w, 3): the same of each index before its sigmoid; of "multi_task" only.
NETWORKS = {
    "multi_task": MultiTask,
    "resnet": ResNetClassifier,
    "resnet3d": ResNetClassifier,
    "cnn3d": CNN3D,
}


def network(config: SemtConfig) -> nn.Module:
    """The Flax module of a config."""
    return NETWORKS[config.network](config)
