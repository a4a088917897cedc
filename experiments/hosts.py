"""The flags by which several processes, usually one on each host, train one network.

The same command is given on each host, with a --process_id of its own:

    python -m experiments.imo --coordinator=host0:1234 --num_processes=2 --process_id=0 ...
    python -m experiments.imo --coordinator=host0:1234 --num_processes=2 --process_id=1 ...

Every host needs the manifest and its images. The run's folder is read and written by process 0
alone. Prepared data are looked for in the cache folder once process 0 is done with them: hosts that
do not share that folder prepare their own.
"""

import hashlib
import pathlib
from collections.abc import Callable, Collection
from typing import Any

from absl import flags

from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from imo_jax.settings.fields import CONTINUE, changeable, leaves
from imo_jax.train import processes

flags.DEFINE_string(
    "coordinator", None, "host:port of process 0, to train over several hosts (any free port)"
)
flags.DEFINE_integer("num_processes", None, "processes that train together, one on each host")
flags.DEFINE_integer("process_id", None, "number of this one, from 0")


def join_others(mode: str | None, training_modes: Collection[str | None]) -> None:
    """Waits for the other processes where there are any; before JAX is asked for anything.

    Args:
      mode: what the program is going to do.
      training_modes: what several processes can do together.

    Raises:
      UserError: flags that are missing, out of range or of no use here, or a port in use.
    """
    coordinator, count, index = (
        flags.FLAGS[name].value for name in ("coordinator", "num_processes", "process_id")
    )
    if coordinator is None and count is None and index is None:
        return
    if problems := place_problems(coordinator, count, index):
        raise UserError("; ".join(problems))
    if mode not in training_modes:
        raise UserError(f"--mode={mode} is done by one process; leave out --coordinator")
    say(f"process {index} of {count}: waiting for the others at {coordinator}")
    try:
        processes.join(coordinator, count, index)
    except RuntimeError as error:
        raise UserError(f"no training over {count} processes: {error}") from error


def place_problems(coordinator: str | None, count: int | None, index: int | None) -> list[str]:
    """What is wrong with the three flags, of which at least one was given."""
    if None in (coordinator, count, index):
        return ["give all of --coordinator, --num_processes and --process_id, or none of them"]
    host, _, port = coordinator.rpartition(":")
    problems = []
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        problems.append(f"coordinator={coordinator!r} must be host:port, such as 10.0.0.1:1234")
    if count < 2:
        problems.append(f"num_processes={count} must be at least 2")
    elif not 0 <= index < count:
        problems.append(f"process_id={index} must be 0 to {count - 1}")
    return problems


def opened(
    workdir: str | pathlib.Path,
    configured: Callable[[], Any],
    prepared: Callable[[Any], Any],
) -> tuple[Any, Any]:
    """Settings and data of a run that is to be trained, the same in all processes.

    Args:
      workdir: folder of the run.
      configured: gives the settings.
      prepared: settings -> store of prepared data, after checking all of them.

    Raises:
      UserError: bad settings or data, or others than the folder's run or another process has.
      StoppedElsewhere: another process raised one.
    """
    with processes.all_or_none():
        config = configured()
    processes.in_first(lambda: refuse_other_config(workdir, config))
    with processes.first_goes_ahead():
        store = prepared(config)
    refuse_differences(config, store.ids("train"))
    return config, store


def refuse_differences(config: Any, ids: list[str]) -> None:
    """UserError where the processes have other settings or other training data."""
    # Each host may have the files in a place of its own.
    free = changeable(type(config), CONTINUE) | {"manifest"}
    settings = {k: v for k, v in leaves(config).items() if k not in free}
    for what, value in (("flags", settings), ("training data", ids)):
        digests = processes.exchange(hashlib.sha256(repr(value).encode()).hexdigest())
        if other := [str(i) for i, digest in enumerate(digests) if digest != digests[0]]:
            raise UserError(
                f"process {', '.join(other)} has other {what} than process 0; give all the same"
            )
