"""All that knows about several devices: replicate, shard, map the step over devices, take back.

Data parallelism in the plain sense: parameters on every device, each with its share of the batch.
Where several processes train together (`imo_jax.train.processes`), each puts its own share of the
batch on its own devices, and the step's collectives run over the devices of all.
"""

import functools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from imo_jax.allocator import give_back_unused
from imo_jax.train import processes

AXIS = "devices"  # name of the device axis, for collectives inside the step

# Steps that may be queued on the device. Without a bound, a loop that never waits would pile up
# batches in memory; with two, the device never waits for the host either.
IN_FLIGHT = 2


def _sharding(num_devices: int) -> NamedSharding:
    """Leading axis over the first `num_devices` devices of this process."""
    mesh = Mesh(np.array(jax.local_devices()[:num_devices]), (AXIS,))
    return NamedSharding(mesh, PartitionSpec(AXIS))


def check_batch_size(batch_size: int, num_devices: int, accumulation: int) -> None:
    """Raises ValueError where a batch cannot be cut into equal parts, saying which sizes can.

    Args:
      batch_size: of the whole batch.
      num_devices: over which it is divided, those of all processes.
      accumulation: parts that each device works through one after the other.
    """
    parts = num_devices * accumulation
    if batch_size % parts:
        below = batch_size // parts * parts
        raise ValueError(
            f"a batch of {batch_size} cannot be cut into {parts} equal parts ({num_devices} "
            f"devices x {accumulation} accumulation steps); choose a batch size that is a multiple "
            f"of {parts}" + (f", such as {below} or {below + parts}" if below else "")
        )


def replicate(tree: Any, num_devices: int) -> Any:
    """A copy on each device: leaves (...) -> (num_devices, ...) with one row a device."""
    sharding = _sharding(num_devices)

    def leaf(x: Any) -> jax.Array:
        x = np.asarray(x)
        # A device may keep a host buffer as its own on CPU, and the step donates what it is given:
        # each device gets a buffer that belongs to nobody else.
        # (...) -> (num_devices, ...)
        return jax.device_put(np.stack([x] * num_devices), sharding, may_alias=False)

    return jax.tree.map(leaf, tree)


def unreplicate(tree: Any) -> Any:
    """The first device's copy as numpy arrays of one's own: leaves (num_devices, ...) -> (...)."""
    # asarray may be a view of the device's buffer, which the next step will write over
    return jax.tree.map(lambda x: np.array(x.addressable_data(0))[0, ...], tree)


def fetch(trees: list[dict[str, jax.Array]]) -> list[dict[str, float]]:
    """Replicated scalars, () on each device, as Python floats; waits until they are there."""
    rows = jax.device_get(jax.tree.map(lambda x: x.addressable_data(0), trees))
    return jax.tree.map(lambda x: float(x[0]), rows)


def shard(batch: dict[str, np.ndarray], num_devices: int, accumulation: int = 1) -> dict:
    """Puts a batch on the devices: leaves (B, ...) -> (num_devices, accumulation, b, ...).

    A device gets b * accumulation successive examples, and its part m of the accumulation every
    `accumulation`-th of them, from the m-th on. So part m holds the same examples on however many
    devices, of however many processes with successive shares of the batch; statistics that are
    taken over a part do not depend on their number.

    Args:
      batch: what this process has of it.
      num_devices: devices of this process.
      accumulation: parts that each device works through one after the other.

    Raises:
      ValueError: B is not a multiple of num_devices * accumulation.
    """
    sharding = _sharding(num_devices)

    def leaf(x: np.ndarray) -> jax.Array:
        check_batch_size(len(x), num_devices, accumulation)
        # (B, ...) -> (num_devices, b, accumulation, ...) -> (num_devices, accumulation, b, ...)
        parts = x.reshape(num_devices, -1, accumulation, *x.shape[1:]).swapaxes(1, 2)
        return jax.device_put(np.ascontiguousarray(parts), sharding)

    return jax.tree.map(leaf, batch)


def over_devices(
    function: Callable,
    compiler_options: Mapping[str, Any] | None = None,
    *,
    donate: tuple[int, ...] = (0,),
    **shared: Any,
) -> Callable:
    """`function(*arguments, **shared)` mapped over the leading device axis of the arguments.

    `shared` is the same on every device. It is data of the program, not part of it: a run with
    another key uses what was compiled for this one. The first arguments, at the positions
    `donate`, are donated; of a step that is its state. `compiler_options` are XLA's, in a single
    process.
    """

    def one_device(shared: dict[str, Any], *arguments: Any) -> Any:
        return function(*arguments, **shared)

    @functools.cache
    def mapped(number: int) -> Any:
        return jax.pmap(
            one_device,
            axis_name=AXIS,
            in_axes=(None, *[0] * number),
            donate_argnums=tuple(position + 1 for position in donate),
        )

    if processes.count() > 1:
        # What is compiled ahead would want the arrays of all processes.
        return lambda *arguments: mapped(len(arguments))(shared, *arguments)
    compiled: dict[Any, Callable] = {}

    def call(*arguments: Any) -> Any:
        given = arguments[len(donate) :]  # what is donated is a state, whose shapes stay
        shapes = jax.tree.structure(given), *((x.shape, x.dtype) for x in jax.tree.leaves(given))
        if shapes not in compiled:
            lowered = mapped(len(arguments)).lower(shared, *arguments)
            compiled[shapes] = lowered.compile(compiler_options)
            give_back_unused()  # before the step asks for as much again
        return compiled[shapes](shared, *arguments)

    return call


@functools.cache
def _largest_over_devices() -> Callable[[np.ndarray], jax.Array]:
    return jax.pmap(lambda x: jax.lax.pmax(x, AXIS), axis_name=AXIS)


class Largest:
    """The largest number that any process has given, known to all after the same step.

    What is given travels behind the steps that are in flight, and is read once they are done: the
    answer is `IN_FLIGHT` steps old, and nobody waits for it.

    Args:
      num_devices: devices of this process.
    """

    def __init__(self, num_devices: int) -> None:
        self._num_devices = num_devices
        self._under_way: deque[jax.Array] = deque()

    def after_step(self, number: int) -> int:
        """Takes this process's number, >= 0; gives the largest that is known, 0 at first.

        To be called after each step, in all processes.
        """
        self._under_way.append(
            _largest_over_devices()(np.full(self._num_devices, number, np.int32))
        )
        if len(self._under_way) <= IN_FLIGHT:
            return 0
        return int(np.asarray(self._under_way.popleft().addressable_data(0))[0])
