"""A function as the plain primitives that it is made of, for converters that know no more.

Choices by platform are made (for what is no CPU of XLA's: one convolution, one gather), calls and
derivative rules are replaced by what they compute, loops of known length are unrolled, and what
depends on no input, random numbers of a fixed key among it, is computed and becomes a constant.
What nothing depends on is left out.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core


def flattened(function: Callable[..., Any], *inputs: jax.ShapeDtypeStruct) -> Callable[..., list]:
    """A function of arrays like `inputs` -> the same function, with its results as a list."""
    closed = jax.make_jaxpr(function)(*inputs)
    # Once more traced: a converter that replaces functions of jax.numpy finds none to replace.
    flat = jax.make_jaxpr(lambda *arrays: list(map(_whole, _called(closed, arrays))))(*inputs)
    return lambda *arrays: list(map(_whole, _called(flat, arrays)))


@dataclasses.dataclass(frozen=True)
class _Broadcast:
    """A known array, repeated: written so, for it would be a large constant."""

    array: Any
    params: dict[str, Any]

    def whole(self) -> jax.Array:
        return jax.lax.broadcast_in_dim_p.bind(self.array, **self.params)


def _called(closed: core.ClosedJaxpr, arrays: Sequence[Any]) -> list[Any]:
    """The results of a program, equation by equation."""
    jaxpr = closed.jaxpr
    values: dict[core.Var, Any] = {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    values.update(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, arrays, strict=True))
    for equation in _needed(jaxpr):
        found = _results(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _needed(jaxpr: core.Jaxpr) -> list[core.JaxprEqn]:
    """The equations that results depend on, in order."""
    wanted, kept = set(map(id, jaxpr.outvars)), []
    for equation in reversed(jaxpr.eqns):
        if wanted & set(map(id, equation.outvars)):
            kept.append(equation)
            wanted |= set(map(id, equation.invars))
    return kept[::-1]


def _results(equation: core.JaxprEqn, arrays: list[Any]) -> Sequence[Any]:
    name, params = equation.primitive.name, equation.params
    if name == "platform_index":
        return [None]  # nobody looks at it: see the next line
    if name == "cond" and params.get("branches_platforms") is not None:
        default = params["branches_platforms"].index(None)
        return _called(params["branches"][default], arrays[1:])
    if name == "scan":
        return _unrolled(params, arrays)
    if name == "optimization_barrier":
        return arrays
    for called in ("jaxpr", "call_jaxpr"):
        if isinstance(params.get(called), core.ClosedJaxpr):
            return _called(params[called], arrays)
    if name == "broadcast_in_dim" and _known(arrays):
        return [_Broadcast(_computed(lambda x: x, arrays), params)]
    if name in EQUIVALENTS:
        return [_computed(lambda *x: EQUIVALENTS[name](*x, **params), arrays)]
    found = _computed(lambda *x: equation.primitive.bind(*x, **params), arrays)
    return found if equation.primitive.multiple_results else [found]


def _known(arrays: Sequence[Any]) -> bool:
    """Whether arrays depend on no input."""
    return not any(isinstance(x, jax.core.Tracer) for x in arrays)


def _whole(x: Any) -> Any:
    return x.whole() if isinstance(x, _Broadcast) else x


def _computed(function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    """What a function says of arrays: at once where all are known, else as a part of the program."""
    if _known(arrays):
        with jax.ensure_compile_time_eval():
            return function(*map(_whole, arrays))
    return function(*map(_whole, arrays))


def _unrolled(params: dict[str, Any], arrays: list[Any]) -> list[Any]:
    """A loop, step by step."""
    first, second = params["num_consts"], params["num_consts"] + params["num_carry"]
    fixed, carry, sequences = arrays[:first], arrays[first:second], arrays[second:]
    steps = range(params["length"])
    outputs = []
    for i in reversed(steps) if params["reverse"] else steps:
        now = [
            _computed(lambda x, i=i: jax.lax.index_in_dim(x, i, keepdims=False), [x])
            for x in sequences
        ]
        found = _called(params["jaxpr"], [*fixed, *carry, *now])
        carry = found[: params["num_carry"]]
        outputs.append(found[params["num_carry"] :])
    if params["reverse"]:
        outputs.reverse()
    stacked = [_computed(lambda *x: _stacked(*x, axis=0), column) for column in zip(*outputs)]
    return [*carry, *stacked]


def _padded(
    x: jax.Array, value: jax.Array, *, padding_config: Sequence[tuple[int, int, int]]
) -> jax.Array:
    """x with values before and after each axis, as concatenations; none lie between."""
    for axis, (before, after, between) in enumerate(padding_config):
        if between:
            raise ValueError("values between those of an array are not written as concatenations")
        x = jax.lax.slice_in_dim(x, max(-before, 0), x.shape[axis] - max(-after, 0), axis=axis)
        values = [
            jnp.broadcast_to(value, (*x.shape[:axis], max(count, 0), *x.shape[axis + 1 :]))
            for count in (before, after)
        ]
        parts = [part for part in (values[0], x, values[1]) if part.shape[axis]]
        if len(parts) > 1:
            x = jnp.concatenate(parts, axis=axis)
    return x


def _remainder(x: jax.Array, y: jax.Array, **_: Any) -> jax.Array:
    """What is left of x divided by y, with the sign of x."""
    ratio = jax.lax.div(x, y)
    if jnp.issubdtype(x.dtype, jnp.floating):
        ratio = jnp.trunc(ratio)
    return x - y * ratio


def _stacked(*arrays: jax.Array, axis: int) -> jax.Array:
    """Arrays beside each other along a new axis."""
    return jnp.concatenate([jnp.expand_dims(x, axis) for x in arrays], axis=axis)


# What converters do not write, or not for a batch of any size -> the same in other primitives.
EQUIVALENTS = {"pad": _padded, "rem": _remainder, "stack": _stacked}
