"""Floating point operations of a function by XLA's cost analysis, loops counted in full."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend import core

# Lowered as for a GPU, whatever runs it: what is counted is the algorithm, and on CPUs some layers
# are written in another way.
PLATFORM = "cuda"


def count_flops(function: Callable, *args: Any) -> float:
    """Floating point operations of one call, before XLA's optimisations; a multiply-add is two.

    XLA counts the body of a scan once; here it counts as often as it runs.

    Args:
      function: of arrays, jitted or not.
      args: arrays, pytrees of them, or their shapes.
    """
    traced = jax.make_jaxpr(function)(*args)
    return _bodies_once(traced) + _repeats(traced.jaxpr)


def _bodies_once(traced: core.ClosedJaxpr) -> float:
    """What XLA says."""
    shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in traced.in_avals]
    lowered = jax.jit(core.jaxpr_as_fun(traced)).trace(*shapes).lower(
        lowering_platforms=(PLATFORM,)
    )  # fmt: skip
    return float(lowered.cost_analysis().get("flops", 0.0))


def _repeats(jaxpr: core.Jaxpr) -> float:
    """What XLA leaves out: all turns of each scan but the first."""
    total = 0.0
    for equation in jaxpr.eqns:
        inner = sum(_repeats(part) for part in _parts(equation))
        if equation.primitive.name == "scan":
            length, body = equation.params["length"], equation.params["jaxpr"]
            inner = length * inner + (length - 1) * _bodies_once(body)
        total += inner
    return total


def _parts(equation: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    """The programs within an equation; of a choice by platform, the one of PLATFORM."""
    platforms = equation.params.get("branches_platforms")
    if platforms is not None:
        chosen = next(i for i, names in enumerate(platforms) if names is None or PLATFORM in names)
        yield equation.params["branches"][chosen].jaxpr
        return
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, core.ClosedJaxpr):
                yield part.jaxpr
            elif isinstance(part, core.Jaxpr):
                yield part
