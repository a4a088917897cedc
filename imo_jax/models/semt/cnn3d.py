"""3D-CNN of Maetschke et al., "A feature agnostic approach for glaucoma detection in OCT volumes",
PLOS ONE 2019: five convolutions with batch norm and ReLU, global average pooling, softmax of two.

222,466 trainable parameters at the width of 32. Initialisation, padding and batch norms are those
of Keras, in which it was written. Its volumes lie en face first; as kernels, strides and pooling
are the same along every axis, the order of the axes changes nothing.
"""

import flax.linen as nn
import jax

from imo_jax.layers.convolution import Conv, same_padding
from imo_jax.layers.norms import BatchNorm
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.pooled_linear import PooledLinear, global_average

LAYERS = ((7, 2), (5, 1), (3, 1), (3, 1), (3, 1))  # kernel and stride
EPS, MOMENTUM = 1e-3, 0.01  # Keras's batch norm; momentum as PyTorch counts it (Keras: 0.99)


class CNN3D(nn.Module):
    """Volume -> logits of normal and glaucoma, given as their difference."""

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
        c = self.config
        glorot, zeros = nn.initializers.glorot_uniform(), nn.initializers.zeros
        for i, (size, stride) in enumerate(LAYERS):
            x = Conv(
                c.cnn_width, size, stride, padding=same_padding(x.shape[1:-1], size, stride),
                use_bias=True, kernel_init=glorot, bias_init=zeros, dtype=c.compute_dtype,
                name=f"conv{i}",
            )(x)  # fmt: skip
            norm = BatchNorm(EPS, MOMENTUM, dtype=c.compute_dtype, name=f"norm{i}")
            x = nn.relu(norm(x, train=train, axis_name=axis_name))
        head = PooledLinear(2, kernel_init=glorot, bias_init=zeros, name="classifier")
        logits, cams = head(x)
        # softmax(a, b) is the sigmoid of b - a.
        return {
            "logit": logits[:, 1] - logits[:, 0],
            "features": global_average(x),
            "maps": x,
            "cam": cams[..., 1] - cams[..., 0],
        }
