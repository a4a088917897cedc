"""Initial variables, with the random bits of all arrays drawn at once.

A network draws some hundred arrays, and XLA compiles a generator for each of them: 12 of the 15 s
that it takes to compile the drawing of IMO's parameters. Here one generator makes all bits, the same
that each array would have drawn with its own key, and the rest of the function turns them into
numbers.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun
from jax.extend.random import threefry_2x32

# Compiler options of a program that runs once: what optimising it costs is never earned back.
RUN_ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

# Bits are made in rows of so many, each row for one array.
ROW = 1024

Request = tuple[jax.Array, tuple[int, ...]]


def draw(initial: Callable[[jax.Array], Any], seed: int) -> Any:
    """`initial(jax.random.key(seed))`, as numpy arrays.

    Args:
      initial: makes variables from a key. What else it computes is left out.
      seed: of the key.
    """
    key = jax.random.key(seed)
    closed, shapes = jax.make_jaxpr(initial, return_shape=True)(key)
    requests: list[Request] = []

    def note(wanted: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        requests.append((wanted, shape))
        return jnp.zeros(shape, jnp.uint32)

    jax.eval_shape(lambda: _evaluate(closed, [key], note))

    def finish(rows: jax.Array) -> list[jax.Array]:
        given = iter(_cut(rows, [shape for _, shape in requests]))
        return _evaluate(closed, [key], lambda *_: next(given))

    leaves = jax.jit(finish, compiler_options=RUN_ONCE)(_draw_rows(requests))
    return jax.device_get(jax.tree.unflatten(jax.tree.structure(shapes), leaves))


def _evaluate(
    closed: ClosedJaxpr, inputs: list, bits: Callable[[jax.Array, tuple[int, ...]], jax.Array]
) -> list:
    """The outputs of a traced function, whose 32-bit draws `bits(key, shape)` makes.

    Draws with a key that is not known before the program runs (within a loop, say) stay as they are.
    """
    jaxpr = closed.jaxpr
    values = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values |= dict(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in _needed(jaxpr):
        given = [read(atom) for atom in equation.invars]
        name, params = equation.primitive.name, equation.params
        if name == "jit":
            found = _evaluate(params["jaxpr"], given, bits)
        elif name == "random_bits" and _is_known(given[0], params["bit_width"]):
            found = [bits(given[0], params["shape"])]
        elif name == "random_fold_in":
            # At once, so that the key is known.
            with jax.ensure_compile_time_eval():
                found = _compute(jaxpr, equation, given)
        else:
            found = _compute(jaxpr, equation, given)
        values |= dict(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _needed(jaxpr: Any) -> list:
    """The equations on which the outputs depend, in order."""
    wanted = {atom for atom in jaxpr.outvars if not isinstance(atom, Literal)}
    needed = []
    for equation in reversed(jaxpr.eqns):
        if wanted.intersection(equation.outvars):
            needed.append(equation)
            wanted |= {atom for atom in equation.invars if not isinstance(atom, Literal)}
    return needed[::-1]


def _compute(jaxpr: Any, equation: Any, given: list) -> list:
    """The outputs of one equation of `jaxpr`."""
    pairs = zip(equation.invars, given, strict=True)
    values = {atom: value for atom, value in pairs if not isinstance(atom, Literal)}
    alone = jaxpr.replace(
        constvars=[], invars=list(values), outvars=equation.outvars, eqns=[equation]
    )
    return jaxpr_as_fun(ClosedJaxpr(alone, ()))(*values.values())


def _is_known(key: jax.Array, bit_width: int) -> bool:
    known = not isinstance(key, jax.core.Tracer) and key.shape == ()
    return known and bit_width == 32 and str(jax.random.key_impl(key)) == "threefry2x32"


def _draw_rows(requests: list[Request]) -> jax.Array:
    """uint32 (rows, ROW): the bits of all requests, each from the beginning of a row."""
    rows = [_rows(shape) for _, shape in requests]
    keys = np.reshape([jax.random.key_data(key) for key, _ in requests], (-1, 2))
    starts = [row * ROW for n in rows for row in range(n)]
    return _threefry(np.repeat(keys, rows, axis=0).astype(np.uint32), np.array(starts, np.uint32))


@jax.jit
@jax.vmap
def _threefry(key: jax.Array, start: jax.Array) -> jax.Array:
    """Bits `start` to `start + ROW` of what jax.random.bits draws with this key.

    Element i is the exclusive or of the two words of threefry2x32 of the counter (0, i).
    """
    low = start + jnp.arange(ROW, dtype=jnp.uint32)
    words = threefry_2x32(key, jnp.concatenate([jnp.zeros_like(low), low]))
    return words[:ROW] ^ words[ROW:]


def _cut(rows: jax.Array, shapes: list[tuple[int, ...]]) -> list[jax.Array]:
    """Inverse of laying arrays of these shapes into rows."""
    counts = np.array([_rows(shape) for shape in shapes], int)
    ends = np.cumsum(counts)
    return [
        rows[first:end].reshape(-1)[: math.prod(shape)].reshape(shape)
        for shape, first, end in zip(shapes, ends - counts, ends, strict=True)
    ]


def _rows(shape: tuple[int, ...]) -> int:
    return -(-math.prod(shape) // ROW)
