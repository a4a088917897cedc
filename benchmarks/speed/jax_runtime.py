"""JAX itself, as far as the benchmark asks it: precision, device, memory, matmul ceiling."""

import importlib.metadata
from collections.abc import Callable

import jax
import jax.numpy as jnp

from imo_jax.switches import wait_on_cpus

LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")
# How float32 products are rounded on a GPU.
MATMUL_PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "default"}


def set_up(precision: str) -> None:
    """Chooses how float32 products are rounded; the compute dtype is the network's own.

    Calls on a CPU return when they are done, as in the experiments.

    Raises:
      ValueError: TF32 on a device that has none.
    """
    wait_on_cpus()
    if jax.default_backend() == "gpu":
        jax.config.update("jax_default_matmul_precision", MATMUL_PRECISIONS[precision])
    elif precision == "tf32":
        raise ValueError("--precision=tf32 needs an NVIDIA GPU")


def versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def accelerator() -> str | None:
    """The accelerator's name; None where the processor does the work."""
    device = jax.local_devices()[0]
    return None if device.platform == "cpu" else device.device_kind


def peak_bytes() -> int | None:
    """Peak memory of the accelerator; None where there is none."""
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


def matmul(side: int, precision: str) -> Callable[[], None]:
    """One product of square matrices, to be timed."""
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    matrix = jax.random.normal(jax.random.key(0), (side, side), dtype)
    product = jax.jit(lambda a: a @ a)
    return lambda: product(matrix).block_until_ready()
