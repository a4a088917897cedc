"""SegNeXt (Guo et al. 2022): MSCAN and a decoder around a matrix factorisation ("LightHam")."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers.fpn import MergeLevels
from imo_jax.layers.linear import Linear
from imo_jax.layers.norms import GroupNorm
from imo_jax.layers.stochastic import Dropout, layer_keys
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.segmenters.encoding import encode, from_stride
from imo_jax.models.segmenters.nmf import factorise, random_bases

TRAIN_STEPS, EVAL_STEPS = 6, 7  # updates of the factorisation
EVAL_SEED = 0  # of the bases from which every example's factorisation starts without keys


class SegNeXt(nn.Module):
    """Encoder; its maps from stride 8 on merged there, factorised, aligned, classified."""

    config: SegmenterConfig

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
        """Class logits at stride 8; arguments and results as `networks.NETWORKS` says."""
        c, s = self.config, self.config.sizes
        mode = {"train": train, "axis_name": axis_name}
        maps = encode(c, fundus, oct_volume, has_oct, example_keys=example_keys, **mode)
        merge = MergeLevels(s.features, s.groups, c.compute_dtype, name="squeeze")
        x = nn.relu(merge(from_stride(maps, 8)))
        ham = Hamburger(s.rank, s.groups, c.compute_dtype, name="hamburger")
        x = ham(x, train=train, example_keys=example_keys)
        x = Linear(s.features, use_bias=False, dtype=c.compute_dtype, name="align")(x)
        x = nn.relu(GroupNorm(s.groups, c.compute_dtype, name="align_norm")(x))
        x = Dropout(s.dropout, name="dropout")(x, example_keys)
        return {"logits": Linear(c.num_classes, name="classifier")(x.astype(jnp.float32))}


class Hamburger(nn.Module):
    """relu(x + GN(W2 factorised(relu(W1 x)))): a factorisation between two linear layers.

    Attributes:
      rank: of the factorisation of the positions x channels matrix.
      groups: of the norm.
      dtype: of the computation; the factorisation is in float32.
    """

    rank: int
    groups: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, example_keys: jax.Array | None) -> jax.Array:
        """x: (B, H, W, C) -> (B, H, W, C).

        The bases start from random numbers: of each example's key, or without keys from one fixed
        draw for all, so that an evaluation gives the same result whenever it is repeated.
        """
        batch, height, width, channels = x.shape
        if example_keys is None:
            keys = jnp.broadcast_to(jax.random.key(EVAL_SEED), (batch,))
        else:
            keys = layer_keys(example_keys, self.path)
        y = nn.relu(Linear(channels, dtype=self.dtype, name="inward")(x))
        # (B, H, W, C) -> (B, H*W, C)
        y = y.astype(jnp.float32).reshape(batch, height * width, channels)
        steps = TRAIN_STEPS if train else EVAL_STEPS
        y = factorise(y, random_bases(keys, channels, self.rank), steps)
        # (B, H*W, C) -> (B, H, W, C)
        y = y.reshape(x.shape).astype(self.dtype)
        y = Linear(channels, use_bias=False, dtype=self.dtype, name="outward")(y)
        return nn.relu(x + GroupNorm(self.groups, self.dtype, name="norm")(y))
