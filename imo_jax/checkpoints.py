"""Checkpoints on disk: whole or not at all, the last ones and the best one kept.

The checkpoint of step N is the folder `N` with three items:

- `variables`: what evaluation needs and nothing else, {"params": ..., "batch_stats": ...};
- `training`: what only the continuation of the run needs (optimiser state, step, ...);
- `progress`: JSON of the training loop's own memory (best value so far, and the like).

Host arrays without a device axis are stored, so a run goes on with any number and kind of devices.
Of several processes that train together, process 0 alone opens the folder.
Orbax writes under another name and renames what is complete, and a folder is renamed away before it
is deleted, so that a process may be killed at any moment.
"""

import contextlib
import errno
import logging
import pathlib
import shutil
import warnings
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
import orbax.checkpoint as ocp
from flax import traverse_util
from orbax.checkpoint import checkpoint_managers

ITEMS = ("variables", "training", "progress")
_TRASH = "trash"  # folders on their way out


class CheckpointMismatch(ValueError):
    """A checkpoint holds other arrays than the program expects."""


class _OrbaxErrorsOnly(logging.Filter):
    """Drops what orbax logs below an error: its warnings speak to its own developers."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or "orbax" not in record.pathname


logging.getLogger("absl").addFilter(_OrbaxErrorsOnly())


class _KeepLastAndBest(checkpoint_managers.PreservationPolicy):
    """Keeps the last `number` checkpoints, and `best`, which is set before each save."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.best: int | None = None

    def should_preserve(self, checkpoints: Any, *, context: Any) -> list[bool]:
        steps = [info.step for info in checkpoints]
        kept = {*steps[-self._number :], self.best}
        return [step in kept for step in steps]


class Checkpoints:
    """The checkpoints of one run in `directory`; a context manager that waits for what is unsaved.

    Args:
      directory: made if it does not exist, unless read_only.
      keep_last: how many of the latest are kept, >= 1, beside the best.
      read_only: nothing is written, moved or deleted, for readers of a run that may be going on.

    Raises:
      FileNotFoundError: read_only, and there is no such folder.
    """

    def __init__(
        self, directory: str | pathlib.Path, *, keep_last: int = 2, read_only: bool = False
    ) -> None:
        self.directory = pathlib.Path(directory).absolute()
        self._read_only = read_only
        if read_only and not self.directory.is_dir():
            raise FileNotFoundError(f"{self.directory}: no checkpoints here; was the run trained?")
        self._policy = _KeepLastAndBest(keep_last)
        if not read_only:
            for step in set(_numbered(self.directory)) - set(self.steps()):
                self._set_aside(step)
            self.directory.mkdir(parents=True, exist_ok=True)
        self._manager = ocp.CheckpointManager(
            self.directory,
            options=ocp.CheckpointManagerOptions(
                create=False,
                preservation_policy=self._policy,
                todelete_subdir=None if read_only else _TRASH,
                cleanup_tmp_directories=not read_only,
                read_only=read_only,
                lightweight_initialize=True,
                # orbax would have all processes meet at every save
                multiprocessing_options=ocp.options.MultiprocessingOptions(
                    primary_host=0, active_processes={0}
                ),
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(Exception):  # what is under way says more than what follows it
            self.close()

    def wait(self) -> None:
        """Waits until the save that is under way, if any, is on disk."""
        with _full_disk_named(self.directory):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits until everything is on disk."""
        with _full_disk_named(self.directory):
            self._manager.close()
        self._empty_trash()

    def steps(self) -> list[int]:
        """Steps of the checkpoints whose items are all there, ascending."""
        return saved_steps(self.directory)

    def best_step(self) -> int | None:
        """Step of the best checkpoint as the last one remembers it; None where there is none."""
        steps = self.steps()
        if not steps:
            return None
        best = self.restore(steps[-1], "progress")["best_step"]
        return best if best in steps else None

    def save(
        self,
        step: int,
        *,
        variables: Mapping[str, Any],
        training: Mapping[str, Any],
        progress: Mapping[str, Any],
    ) -> None:
        """Saves in the background; returns once the arrays may not be needed any longer.

        Args:
          step: steps done; a checkpoint of the same step is replaced.
          variables, training: nested dicts of host arrays that nobody writes to any more.
          progress: JSON values; `best_step` among them names the checkpoint to keep as the best.

        Raises whatever went wrong in the previous save; of a full disk an OSError (ENOSPC).
        """
        self.wait()
        self._empty_trash()
        if step in self._manager.all_steps():
            self._manager.delete(step)
        self._policy.best = progress["best_step"]
        with _full_disk_named(self.directory):
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    variables=ocp.args.StandardSave(variables),
                    training=ocp.args.StandardSave(training),
                    progress=ocp.args.JsonSave(dict(progress)),
                ),
            )

    def restore(self, step: int, item: str) -> Any:
        """One item of one checkpoint: nested dict of numpy arrays, or of JSON values."""
        args = ocp.args.JsonRestore() if item == "progress" else ocp.args.StandardRestore()
        return self._manager.restore(step, args=ocp.args.Composite(**{item: args}))[item]

    def restore_last(self) -> tuple[int, dict[str, Any]] | None:
        """Step and all items of the last checkpoint that can be read; None where there is none.

        One that cannot be read is said, moved aside and passed over.
        """
        for step in reversed(self.steps()):
            try:
                return step, {item: self.restore(step, item) for item in ITEMS}
            except Exception as error:  # noqa: BLE001 - storage raises many kinds
                warnings.warn(
                    f"{self.directory / str(step)} cannot be read "
                    f"({type(error).__name__}: {str(error).splitlines()[0]}); going back to the "
                    "checkpoint before it",
                    stacklevel=2,
                )
                self._set_aside(step)
        return None

    def _set_aside(self, step: int) -> None:
        """Takes a broken checkpoint out of the count without deleting it."""
        if self._read_only:
            return
        target = self.directory / f"unreadable-{step}"
        shutil.rmtree(target, ignore_errors=True)
        (self.directory / str(step)).rename(target)
        if hasattr(self, "_manager"):
            self._manager.reload()

    def _empty_trash(self) -> None:
        if not self._read_only:
            shutil.rmtree(self.directory / _TRASH, ignore_errors=True)


@contextlib.contextmanager
def _full_disk_named(directory: pathlib.Path) -> Iterator[None]:
    """The storage's own error of a full disk as the OSError that it is."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if "RESOURCE_EXHAUSTED" not in str(error) and "No space left" not in str(error):
            raise
        raise OSError(errno.ENOSPC, "No space left on device", str(directory)) from error


def saved_steps(directory: pathlib.Path) -> list[int]:
    """Steps of the checkpoints in a folder whose items are all there, ascending."""
    return [
        step
        for step in _numbered(directory)
        if all((directory / str(step) / item).is_dir() for item in ITEMS)
    ]


def _numbered(directory: pathlib.Path) -> list[int]:
    """Folders that are named as a step, ascending."""
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())


def require_same_arrays(found: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    """Raises CheckpointMismatch listing every difference of names, shapes and dtypes.

    Args:
      found: nested dict of arrays from a checkpoint.
      expected: nested dict of arrays, or of anything with shape and dtype.
      where: what was read, for the message.
    """
    old, new = (traverse_util.flatten_dict(dict(tree), sep="/") for tree in (found, expected))
    lines = [f"  missing in the checkpoint: {name}" for name in sorted(new.keys() - old.keys())]
    lines += [f"  only in the checkpoint: {name}" for name in sorted(old.keys() - new.keys())]
    lines += [
        f"  {name}: {_form(old[name])} in the checkpoint, {_form(new[name])} expected"
        for name in sorted(old.keys() & new.keys())
        if _form(old[name]) != _form(new[name])
    ]
    if lines:
        raise CheckpointMismatch("\n".join([f"{where} does not fit this model:", *lines]))


def _form(x: Any) -> str:
    return f"{np.dtype(x.dtype).name}{list(x.shape)}"


WHICH = ("best", "last")


def _first_readable(checkpoints: Checkpoints, which: str) -> tuple[dict[str, Any], int]:
    """Variables and step of the checkpoint that is asked for, else of the last that can be read."""
    steps = checkpoints.steps()[::-1]
    if which == "best":
        # The best step is written in the last checkpoint, which may be the damaged one.
        with contextlib.suppress(Exception):
            best = checkpoints.best_step()
            steps = steps if best is None else [best, *(step for step in steps if step != best)]
    for step in steps:
        try:
            return checkpoints.restore(step, "variables"), step
        except Exception as error:  # noqa: BLE001 - storage raises many kinds
            warnings.warn(
                f"{checkpoints.directory / str(step)} cannot be read ({type(error).__name__}); "
                "another checkpoint is used",
                stacklevel=3,
            )
    raise CheckpointMismatch(
        f"{checkpoints.directory}: no checkpoint can be read; copy the folder again, or train anew "
        "in another --workdir"
    )


def restore_variables(
    directory: str | pathlib.Path, like: Mapping[str, Any] | None = None, *, which: str = "best"
) -> tuple[dict[str, Any], int]:
    """Variables for evaluation or prediction, without optimiser state, on whatever device.

    Args:
      directory: folder of the checkpoints.
      like: expected variables ({"params", "batch_stats"}; arrays, or `jax.eval_shape`'s result) to
        compare with; None = no comparison.
      which: "best" by validation (the last where none was validated), or "last".

    Returns:
      Nested dict of numpy arrays, and its step.

    A checkpoint that cannot be read is said and passed over for the last one that can.

    Raises:
      FileNotFoundError: no complete checkpoint in `directory`.
      CheckpointMismatch: names, shapes or dtypes differ from `like`; the message lists them. Or no
        checkpoint can be read.
      ValueError: unknown `which`.
    """
    if which not in WHICH:
        raise ValueError(f"checkpoint is {which!r}; choose {' or '.join(WHICH)}")
    with Checkpoints(directory, read_only=True) as checkpoints:
        if not checkpoints.steps():
            raise FileNotFoundError(f"{directory}: no complete checkpoint here")
        variables, step = _first_readable(checkpoints, which)
    if like is not None:
        require_same_arrays(variables, like, str(checkpoints.directory / str(step)))
    return variables, step
