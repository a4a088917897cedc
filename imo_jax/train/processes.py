"""Several processes that train one network together, usually one on each host.

All are started with the same command and a number of their own. Each works through its share of
every batch on its devices, and all hold the same state after every step. Process 0 does what is to
be done once: it prepares the data, reads and writes the run's folder, validates and reports. All
else is done by all in the same order, because whoever speaks to the others waits for them.

A program that never calls `join` is process 0 of 1. Then nothing here waits, sends or costs.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

# Preparing the data may take hours, and the others wait for it; a process that has died is missed
# after DEAD_SECONDS, wherever the others are.
WAIT_SECONDS = 24 * 3600
DEAD_SECONDS = 100
_LEAVE_SECONDS = 20
_MESSAGE_BYTES = 1024


class StoppedElsewhere(RuntimeError):
    """Another process could not go on, so this one ends too."""


@dataclass
class _Place:
    index: int = 0
    count: int = 1
    meetings: int = 0  # so far: every barrier has a name of its own


_place = _Place()  # a process has one, from `join` to its end


def join(coordinator: str, count: int, index: int) -> None:
    """Makes this process number `index` of `count`, and waits for the others.

    To be called before JAX is asked for anything: it makes the devices of all processes known.
    Where not all come within five minutes, the runtime aborts those that did.

    Args:
      coordinator: "host:port" at which the others reach process 0.
      count: number of processes, at least 2.
      index: number of this one, 0 <= index < count.

    Raises:
      RuntimeError: the port is in use, or the processes have different numbers of devices.
    """
    # JAX would take SIGTERM for itself; the training loop ends on it.
    jax.config.update("jax_enable_preemption_service", False)
    # On CPU, the one kind of collectives between processes that needs nothing installed.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator,
        count,
        index,
        cluster_detection_method="deactivate",  # would take all devices but one from a Slurm job
        heartbeat_timeout_seconds=DEAD_SECONDS,
        shutdown_timeout_seconds=_LEAVE_SECONDS,
    )
    if jax.device_count() != count * jax.local_device_count():
        raise RuntimeError(
            f"process {index} has {jax.local_device_count()} of all {jax.device_count()} devices; "
            f"each of the {count} processes must have as many as the others"
        )
    _place.index, _place.count = index, count


def leave() -> None:
    """Parts from the others, once all are here; to be called by all, after the last meeting.

    Process 0 may go on alone, with its own devices, and the others may end.
    """
    if _place.count > 1:
        exchange("")
        jax.distributed.shutdown()


def place() -> tuple[int, int]:
    """(number of this process, number of processes), as loaders take it for `shard`."""
    return _place.index, _place.count


def count() -> int:
    """Number of processes."""
    return _place.count


def is_first() -> bool:
    """Whether this is process 0, which does what is done once."""
    return _place.index == 0


def exchange(text: str) -> list[str]:
    """Waits for all processes, and returns what each of them has given, in their order.

    Args:
      text: at most 1024 bytes.
    """
    if _place.count == 1:
        return [text]
    _meet()
    message = np.zeros(_MESSAGE_BYTES, np.uint8)
    encoded = text.encode()
    message[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    rows = multihost_utils.process_allgather(message)
    return [row.tobytes().rstrip(b"\0").decode() for row in rows]


def _meet() -> None:
    """Waits for all processes, without a device: what waits on one for long may give up."""
    _place.meetings += 1
    wait = ocp.multihost.get_barrier_sync_fn()
    wait(key=f"imo_jax_{_place.meetings}", timeout_ms=WAIT_SECONDS * 1000)


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """A block that ends well in all processes, or in none.

    Raises:
      StoppedElsewhere: it went wrong in another process; there, what went wrong is raised.
    """
    try:
        yield
    except Exception:
        exchange("failed")
        raise
    _refuse_failures(exchange(""))


@contextlib.contextmanager
def first_goes_ahead() -> Iterator[None]:
    """A block that process 0 has done before the others begin; all_or_none for the rest.

    For what is made once and then found by all, such as prepared data. Where the others do not
    share process 0's disk they make it for themselves.
    """
    with all_or_none():
        if not is_first():
            _refuse_failures(exchange(""))
        try:
            yield
        except Exception:
            if is_first():
                exchange("failed")
            raise
        if is_first():
            exchange("")


def _refuse_failures(answers: list[str]) -> None:
    if failed := [str(index) for index, answer in enumerate(answers) if answer]:
        raise StoppedElsewhere(f"process {', '.join(failed)} could not go on, and says why")


def in_first(make: Callable[[], Any]) -> Any:
    """What `make` returns in process 0, in all processes; the others wait and do nothing.

    Args:
      make: returns JSON values, at most 1024 bytes as text; or None, for what it leaves behind.

    Raises:
      StoppedElsewhere: `make` raised in process 0, which raises the same.
    """
    if _place.count == 1:
        return make()
    text = ""
    with all_or_none():
        if is_first():
            text = json.dumps(make())
    return json.loads(exchange(text)[0])


def arrays_of_first(tree: Any) -> Any:
    """Process 0's arrays in all processes: numpy leaves with the shapes and dtypes of `tree`.

    Args:
      tree: arrays; of the other processes only structure, shapes and dtypes are looked at.
    """
    if _place.count == 1:
        return tree
    _meet()
    return multihost_utils.broadcast_one_to_all(tree)
