"""Functions as StableHLO: what `jax.export` writes, and any JAX of the next six months reads."""

from collections.abc import Callable

import jax
import numpy as np
from jax import export

from imo_jax.export.parts import Part

PLATFORMS = ("cpu", "cuda")  # what a file runs on
BATCH = "batch"  # the size that is left open


def serialised(part: Part) -> bytes:
    """The file of a part; its parameters are constants in it."""
    (batch,) = export.symbolic_shape(BATCH)
    inputs = {
        name: jax.ShapeDtypeStruct((batch, *x.shape), x.dtype) for name, x in part.inputs.items()
    }
    exported = export.export(jax.jit(part.of_batch), platforms=PLATFORMS)(**inputs)
    return bytes(exported.serialize())


def restored(content: bytes) -> Callable[..., dict[str, np.ndarray]]:
    """The function in a file: inputs by name -> outputs by name."""
    call = jax.jit(export.deserialize(bytearray(content)).call)
    return lambda **inputs: jax.device_get(call(**inputs))
