"""How photographs are normalised: by ImageNet's statistics, unless a backbone's weights differ."""

import jax
import jax.numpy as jnp
import numpy as np

# ImageNet statistics of RGB in 0..255.
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)


def renormalised(image: jax.Array, mean: float, std: float) -> jax.Array:
    """An image normalised by MEAN and STD as one normalised by `mean` and `std` (of 0..255).

    Args:
      image: (B, H, W, 3) float32.
      mean, std: of every channel.
    """
    scale, shift = (jnp.asarray(v)[None, None, None] for v in (STD / std, (MEAN - mean) / std))
    return image * scale.astype(image.dtype) + shift.astype(image.dtype)
