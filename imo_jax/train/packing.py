"""Parameters with the small arrays joined into two vectors, as the train state holds them.

An update is a few operations an array: norm, clipping, Adam's moments, average. Of the hundreds of
arrays of a network most are small, and each would be compiled, and started in each step, by itself;
joined, all of them cost what one does.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

# Elements up to which an array is joined, 256 kB: few are longer, and those are not copied.
SMALL = 65536

Path = tuple[str, ...]
Tree = dict[str, Any]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Layout:
    """Where the arrays of a tree lie.

    Attributes:
      decayed, undecayed: (path, shape) of the joined arrays, in the order of the vector.
      large: (path, whether it decays) of the others.
    """

    decayed: tuple[tuple[Path, tuple[int, ...]], ...]
    undecayed: tuple[tuple[Path, tuple[int, ...]], ...]
    large: tuple[tuple[Path, bool], ...]


@flax.struct.dataclass
class Packed:
    """A nested dict of float32 arrays, packed.

    Attributes:
      decayed: (n,) the small arrays on which weight decay acts, flat, one behind the other.
      undecayed: (m,) the other small arrays.
      large: the rest, by position in `layout.large`.
      layout: where they belong.
    """

    decayed: jax.Array
    undecayed: jax.Array
    large: tuple[jax.Array, ...]
    layout: Layout


def pack(tree: Tree, decay_mask: Callable[[Tree], Tree]) -> Packed:
    """Packs a nested dict of float32 arrays.

    Args:
      tree: the parameters.
      decay_mask: one of `imo_jax.train.weight_decay.DECAY_MASKS`; each vector holds arrays of one
        kind, so that the optimiser can tell them apart.
    """
    flat, decayed = flatten_dict(tree), flatten_dict(decay_mask(tree))
    paths = sorted(flat)
    small = [path for path in paths if flat[path].size <= SMALL]
    layout = Layout(
        decayed=tuple((path, flat[path].shape) for path in small if decayed[path]),
        undecayed=tuple((path, flat[path].shape) for path in small if not decayed[path]),
        large=tuple((path, decayed[path]) for path in paths if flat[path].size > SMALL),
    )
    return pack_as(layout, tree)


def pack_as(layout: Layout, tree: Tree) -> Packed:
    """Packs another tree of the same names and shapes."""
    flat = flatten_dict(tree)
    of = np if all(isinstance(x, np.ndarray) for x in flat.values()) else jnp

    def joined(places: tuple) -> jax.Array:
        parts = [flat[path].reshape(-1) for path, _ in places]
        return of.concatenate(parts) if parts else of.zeros(0, np.float32)

    large = tuple(flat[path] for path, _ in layout.large)
    return Packed(joined(layout.decayed), joined(layout.undecayed), large, layout)


def unpack(packed: Packed) -> Tree:
    """The tree that was packed; views where the leaves are numpy arrays.

    It can be differentiated. The gradient is packed by one concatenation: that of slicing would be
    a sum of as many vectors as there are arrays.
    """
    if isinstance(packed.decayed, np.ndarray):
        return _sliced(packed)
    return _unpacked(packed)


@jax.custom_vjp
def _unpacked(packed: Packed) -> Tree:
    return _sliced(packed)


def _forward(packed: Packed) -> tuple[Tree, Layout]:
    return _sliced(packed), packed.layout


def _backward(layout: Layout, gradient: Tree) -> tuple[Packed]:
    # The barrier keeps XLA from computing the gradients within the concatenation.
    return (pack_as(layout, jax.lax.optimization_barrier(gradient)),)


def _sliced(packed: Packed) -> Tree:
    layout = packed.layout
    flat = {path: x for (path, _), x in zip(layout.large, packed.large, strict=True)}
    flat |= dict(_slices(packed.decayed, layout.decayed))
    flat |= dict(_slices(packed.undecayed, layout.undecayed))
    return unflatten_dict(flat)


def _slices(vector: Any, places: tuple) -> Iterator[tuple[Path, Any]]:
    start = 0
    for path, shape in places:
        end = start + int(np.prod(shape))
        yield path, vector[start:end].reshape(shape)
        start = end


def decays(packed: Packed) -> Packed:
    """Decay mask of packed parameters: bools in their places."""
    large = tuple(decayed for _, decayed in packed.layout.large)
    return Packed(True, False, large, packed.layout)


def multiplied(packed: Packed, within: Path, factor: float) -> Packed:
    """The arrays whose path begins with `within` times a factor, the others as they are."""

    def inside(path: Path) -> bool:
        return path[: len(within)] == within

    def joined(vector: jax.Array, places: tuple) -> jax.Array:
        factors = [
            jnp.full(math.prod(shape), factor if inside(path) else 1.0, vector.dtype)
            for path, shape in places
        ]
        return vector * jnp.concatenate(factors) if factors else vector

    layout = packed.layout
    return Packed(
        joined(packed.decayed, layout.decayed),
        joined(packed.undecayed, layout.undecayed),
        tuple(
            x * jnp.asarray(factor, x.dtype) if inside(path) else x
            for (path, _), x in zip(layout.large, packed.large, strict=True)
        ),
        layout,
    )


def unpack_all(tree: Any) -> Any:
    """`tree`, an optimiser's state say, with every Packed in it unpacked."""
    return jax.tree.map(lambda x: unpack(x) if _is_packed(x) else x, tree, is_leaf=_is_packed)


def pack_all(like: Any, tree: Any) -> Any:
    """Inverse of `unpack_all`; packs where `like` does."""
    return jax.tree.map(
        lambda old, new: pack_as(old.layout, new) if _is_packed(old) else new,
        like,
        tree,
        is_leaf=_is_packed,
    )


def _is_packed(node: Any) -> bool:
    return isinstance(node, Packed)


_unpacked.defvjp(_forward, _backward)
