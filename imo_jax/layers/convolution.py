"""Convolution over two or three axes, padded as PyTorch pads, fast on each platform.

XLA is quick everywhere but on CPU. There its convolution of volumes is several times slower than
that of images, and the gradients of a strided one fifty times: a convolution of volumes is one of
images, and the slices that a kernel sees lie beside each other as channels. Images with many
channels are convolved by Winograd's algorithm, and to a handful of channels as products of pixels.
"""

import functools
import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from imo_jax.layers import few_inputs, few_outputs, initializers, winograd
from imo_jax.layers.linear import linear
from imo_jax.layers.plain_conv import Padding, Window, plain_conv


def same_padding(shape: tuple[int, ...], size: int, stride: int) -> tuple[tuple[int, int], ...]:
    """TensorFlow's "same": ceil(n / stride) outputs an axis, the odd zero at the end."""
    totals = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in shape]
    return tuple((total // 2, total - total // 2) for total in totals)


def conv(
    x: jax.Array,
    kernel: jax.Array,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding | None = None,
) -> jax.Array:
    """Convolution over the axes between the first and the last.

    Args:
      x: (B, H, W, in) or (B, D, H, W, in).
      kernel: (k, k, in, out) or (k, k, k, in, out), x's dtype.
      stride: step of the kernel along every axis.
      dilation: distance of the kernel's taps along every axis.
      padding: zeros (before, after) each axis; None = dilation * (k // 2) on both sides. That is
        PyTorch's usual choice; under a stride it differs from what is called "SAME".

    Returns:
      (B, H', W', out) or (B, D', H', W', out), where
      H' = (H + zeros - dilation * (k - 1) - 1) // stride + 1.
    """
    sizes = kernel.shape[:-2]
    if padding is None:
        padding = tuple((dilation * (k // 2),) * 2 for k in sizes)
    if max(sizes) == 1 and not any(map(any, padding)):
        # A matmul of the positions that count: (1, 1, in, out) -> (in, out)
        x = x[:, *(slice(None, None, stride) for _ in sizes)]
        return linear(x, kernel.reshape(kernel.shape[-2:]), None, x.dtype)
    window = Window(stride, dilation, padding)
    if len(sizes) == 2 and algorithm(window, x, kernel) is None:
        return plain_conv(window, x, kernel)
    return _conv(image_conv if len(sizes) == 2 else folded_conv, window, x, kernel)


# Where it is the faster one on CPU -> (padding, x, kernel) -> the convolution of images.
ALGORITHMS = (
    (winograd.suits, winograd.winograd_conv),
    (few_outputs.suits, few_outputs.few_outputs_conv),
    (few_inputs.suits, few_inputs.few_inputs_conv),
)


def algorithm(window: Window, x: jax.Array, kernel: jax.Array) -> Callable | None:
    """What is faster on CPU than XLA's convolution of images, if anything is."""
    return next((found for suits, found in ALGORITHMS if suits(x, kernel, *window)), None)


def image_conv(window: Window, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The fastest form for images on CPU."""
    if found := algorithm(window, x, kernel):
        return found(window.padding, x, kernel)
    return plain_conv(window, x, kernel)


def folded_conv(window: Window, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A convolution of volumes as one of images, the taps along the first axis as channels."""
    stride, dilation, (first, *others) = window
    batch, _, height, width, _ = x.shape
    taps = kernel.shape[0]
    x = jnp.pad(x, [(0, 0), first, (0, 0), (0, 0), (0, 0)])
    slices = (x.shape[1] - dilation * (taps - 1) - 1) // stride + 1
    seen = [
        jax.lax.slice_in_dim(x, start, start + stride * (slices - 1) + 1, stride, axis=1)
        for start in range(0, dilation * taps, dilation)
    ]
    # k x (B, D', H, W, in) -> (B, D', H, W, k*in) -> (B*D', H, W, k*in)
    images = jnp.concatenate(seen, axis=-1).reshape(batch * slices, height, width, -1)
    # (k, k, k, in, out) -> (k, k, k, in, out), the first k beside in -> (k, k, k*in, out)
    kernel = kernel.transpose(1, 2, 0, 3, 4)
    kernel = kernel.reshape(*kernel.shape[:2], -1, kernel.shape[-1])
    y = image_conv(Window(stride, dilation, tuple(others)), images, kernel)
    # (B*D', H', W', out) -> (B, D', H', W', out)
    return y.reshape(batch, slices, *y.shape[1:])


Form = Callable[[Window, jax.Array, jax.Array], jax.Array]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _conv(cpu_form: Form, window: Window, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jax.lax.platform_dependent(
        x,
        kernel,
        cpu=functools.partial(cpu_form, window),
        default=functools.partial(plain_conv, window),
    )


def _forward(
    cpu_form: Form, window: Window, x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _conv(cpu_form, window, x, kernel), (x, kernel)


def _backward(
    cpu_form: Form, window: Window, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    def gradients(form: Form, x: jax.Array, kernel: jax.Array, g: jax.Array):
        return jax.vjp(functools.partial(form, window), x, kernel)[1](g)

    return jax.lax.platform_dependent(
        *saved,
        g,
        cpu=functools.partial(gradients, cpu_form),
        default=functools.partial(gradients, plain_conv),
    )


_conv.defvjp(_forward, _backward)


class Conv(nn.Module):
    """Convolution with a kernel of `size` along every axis; parameters `kernel` and `bias`.

    Attributes:
      features: outputs.
      size: of the kernel, which is (size, size, in, features), or with a third size for volumes.
      stride, dilation, padding: see `conv`.
      use_bias: whether there is a `bias` (features,).
      kernel_init, bias_init: defaults are PyTorch's (see layers/initializers.py).
      dtype: of the computation and the result; parameters are float32.
    """

    features: int
    size: int
    stride: int = 1
    dilation: int = 1
    padding: Padding | None = None
    use_bias: bool = False
    kernel_init: initializers.Initializer = initializers.torch_kernel
    bias_init: initializers.Initializer | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.size,) * (x.ndim - 2) + (x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        y = conv(x, kernel, self.stride, self.dilation, self.padding)
        if self.use_bias:
            bias_init = self.bias_init or initializers.torch_bias(math.prod(shape[:-1]))
            bias = self.param("bias", bias_init, (self.features,), jnp.float32)
            # (features,) -> (1, ..., 1, features)
            y = y + bias.astype(self.dtype).reshape((1,) * (y.ndim - 1) + (-1,))
        return y
