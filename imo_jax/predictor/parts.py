"""How many eyes and samples a network is asked for at a time, so that there is memory for them."""

import dataclasses
import functools
import math
from collections.abc import Callable, Hashable
from typing import Any

import jax

# What a prediction may take of a device's memory: a training that validates has its state beside.
BYTES = 8 * 10**9
# What XLA:CPU takes beyond its own count, in which the scratch space of its products and convolutions is
# missing: a prediction at 1024 pixels took 8.8 GB where it counts 6.0.
UNCOUNTED = 1.5

_found: dict[Hashable, int] = {}  # of networks and batches that were asked before


@dataclasses.dataclass(frozen=True)
class Part:
    """What is asked at a time.

    Attributes:
      eyes: of a batch, a divisor of its size.
      samples: of an eye, a divisor of their number.
    """

    eyes: int
    samples: int


def part_of(
    outputs: Callable[..., Any], variables: Any, batch: dict[str, Any], model: Any, samples: int
) -> Part:
    """The largest part of a batch that memory allows for: the whole, where it does.

    Where all arrays of the whole together are more than that, one eye with one sample is compiled,
    and what XLA says that it needs is taken as often as there are eyes and samples in a part.

    Args:
      outputs: `outputs(variables, batch, model, samples=...)` of arrays; may be traced.
      variables: of the network.
      batch: arrays (B, ...), as `outputs` wants them.
      model: config of the network.
      samples: of an eye.
    """
    eyes, limit = len(batch["fundus"]), min(BYTES, free_bytes())

    def asked(eyes: int, samples: int) -> Any:
        rows = {n: jax.ShapeDtypeStruct((eyes, *x.shape[1:]), x.dtype) for n, x in batch.items()}
        function = jax.jit(functools.partial(outputs, model=model, samples=samples))
        return function.trace(variables, rows)

    shapes = tuple((name, x.shape, str(x.dtype)) for name, x in batch.items())
    all_arrays = _once(
        ("all arrays", model, shapes, samples), lambda: of_all_arrays(asked(eyes, samples))
    )
    if all_arrays <= limit:
        return Part(eyes, samples)
    needed = _once(("one", model, shapes), lambda: compiled_bytes(asked(1, 1)))
    return largest(eyes, samples, int(limit // needed))


def largest(eyes: int, samples: int, fit: int) -> Part:
    """The part of at most `fit` samples of all its eyes: an eye's samples before other eyes."""
    at_once = _divisor(samples, fit)
    return Part(_divisor(eyes, fit // samples) if at_once == samples else 1, at_once)


def _divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is at most `most`; at least 1."""
    return next(n for n in range(max(1, min(number, most)), 0, -1) if number % n == 0)


def free_bytes() -> float:
    """Memory that an accelerator has left; infinite where that is not told, as of a CPU's."""
    told = jax.local_devices()[0].memory_stats() or {}
    return told.get("bytes_limit", math.inf) - told.get("bytes_in_use", 0)


def _once(key: Hashable, find: Callable[[], int]) -> int:
    """What was found for a key, found at most once."""
    if key not in _found:
        _found[key] = find()
    return _found[key]


def compiled_bytes(traced: Any) -> int:
    """Bytes that a program needs beside its arguments, as XLA compiles it."""
    analysis = traced.lower().compile().memory_analysis()
    counted = analysis.temp_size_in_bytes + analysis.output_size_in_bytes
    return int(UNCOUNTED * counted) if jax.default_backend() == "cpu" else counted


def of_all_arrays(traced: Any) -> int:
    """Bytes of all arrays that a program computes: more than there are at any one time."""
    return _bytes(traced.jaxpr.jaxpr)


def _bytes(jaxpr: Any) -> int:
    """Bytes of what the operations of a jaxpr compute; of a loop those of one turn."""
    total = 0
    for equation in jaxpr.eqns:
        inner = [part for value in equation.params.values() for part in _jaxprs(value)]
        total += sum(_bytes(part) for part in inner)
        total += sum(x.aval.size * x.aval.dtype.itemsize for x in equation.outvars)
    return total


def _jaxprs(value: Any) -> list[Any]:
    """The jaxprs in a parameter of an operation."""
    if isinstance(value, tuple | list):
        return [part for each in value for part in _jaxprs(each)]
    value = getattr(value, "jaxpr", value)
    return [value] if hasattr(value, "eqns") else []
