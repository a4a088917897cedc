"""Global average pooling and one linear layer: the head whose class activation maps are exact."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import initializers
from imo_jax.layers.linear import linear


def global_average(maps: jax.Array) -> jax.Array:
    """(B, ..., C) -> (B, C) float32, the mean over all positions."""
    return jnp.mean(maps.astype(jnp.float32), axis=tuple(range(1, maps.ndim - 1)))


class PooledLinear(nn.Module):
    """mean over positions (maps) W + b, and the same before the mean: W's share of each position.

    Zhou et al., "Learning deep features for discriminative localization", CVPR 2016:
    the mean of the activation maps plus b is the output.

    Attributes:
      features: outputs F.
      kernel_init, bias_init: default PyTorch's (see layers/initializers.py).
    """

    features: int
    kernel_init: initializers.Initializer = initializers.torch_kernel
    bias_init: initializers.Initializer | None = None

    @nn.compact
    def __call__(self, maps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """maps (B, ..., C) -> outputs (B, F) and activation maps (B, ..., F), both float32."""
        channels = maps.shape[-1]
        kernel = self.param("kernel", self.kernel_init, (channels, self.features), jnp.float32)
        bias_init = self.bias_init or initializers.torch_bias(channels)
        bias = self.param("bias", bias_init, (self.features,), jnp.float32)
        outputs = linear(global_average(maps), kernel, bias, jnp.float32)
        return outputs, linear(maps, kernel, None, jnp.float32)
