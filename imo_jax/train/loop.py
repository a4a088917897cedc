"""The training loop: steps, validation, checkpoints, and an end that can be resumed from."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

import jax
import numpy as np

from imo_jax.augment.augmentation import Augmentation
from imo_jax.checkpoints import Checkpoints
from imo_jax.settings.fields import CONTINUE
from imo_jax.train import parallel, processes
from imo_jax.train.interrupt import Interrupt, Interrupted
from imo_jax.train.metric_log import MetricLog
from imo_jax.train.packing import unpack_all
from imo_jax.train.progress import Progress, duration
from imo_jax.train.selection import MODES, Selection
from imo_jax.train.state import TrainState, evaluated, from_items, to_items
from imo_jax.train.tensorboard import TensorBoard

Batches = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class LoopConfig:
    """How long to train, and how often to look."""

    train_steps: int = field(
        default=1000, metadata={"help": "training steps (updates)", "at_least": 1}
    )
    log_every: int = field(
        default=20,
        metadata={
            "help": "steps between two looks at the metrics",
            "at_least": 1,
            "changes": (CONTINUE,),
        },
    )
    eval_every: int = field(
        default=100,
        metadata={
            "help": "steps between two validations; each saves a checkpoint",
            "at_least": 1,
        },
    )
    save_every: int = field(
        default=100,
        metadata={
            "help": "steps between two checkpoints; 0 = at validations only",
            "at_least": 0,
        },
    )
    keep_last: int = field(
        default=2,
        metadata={
            "help": "latest checkpoints kept beside the best",
            "at_least": 1,
            "changes": (CONTINUE,),
        },
    )
    patience: int = field(
        default=0,
        metadata={
            "help": "validations without a better value to stop after; 0 = never",
            "at_least": 0,
        },
    )
    best_metric: str = field(
        default="score", metadata={"help": "validation metric that decides which step is the best"}
    )
    best_mode: str = field(
        default="max", metadata={"help": "which end of it is better", "choices": tuple(MODES)}
    )


@dataclass(frozen=True)
class Result:
    """How a training ended.

    Attributes:
      step: steps done.
      reason: "finished", "stopped early" or "interrupted" (then it can be resumed).
      selection: what validation has shown.
      exit_code: 0, or 128 + the signal's number where it was interrupted.
    """

    step: int
    reason: str
    selection: Selection
    exit_code: int


def train(
    state: TrainState,
    *,
    step: Callable[..., tuple[TrainState, dict]],
    key: jax.Array,
    batches: Callable[[int], Batches],
    validate: Callable[[dict, int, Interrupt], Mapping[str, float]] | None,
    checkpoints: Checkpoints | None,
    config: LoopConfig,
    augmentation: Augmentation | None = None,
    accumulation: int = 1,
    num_devices: int = 1,
    tensorboard: TensorBoard | None = None,
    draw: Callable[[dict, int], Mapping[str, np.ndarray]] | None = None,
    stream: TextIO | None = None,
    compiler_options: Mapping[str, Any] | None = None,
) -> Result:
    """Trains from the last checkpoint, or from `state` where there is none.

    Whether a run is interrupted and resumed or not, its states are the same. So they are over
    several processes (`imo_jax.train.processes`), which all call this: they start from the state of
    process 0, which alone reads and writes checkpoints and validates, and all end after the same
    step.

    Args:
      state: initial state, without a device axis.
      step: `step(state, batch, key=key) -> (state, metrics)`, pure, to be mapped over
        `parallel.AXIS`; e.g. a partial of `imo_jax.train.step.train_step`.
      key: typed key of the run, given to every step.
      batches: start step -> iterator over the batches of the steps from there on, dicts of numpy
        arrays (B, ...) with a list `id`, which stays on the host; of several processes each its
        share.
      validate: (variables, step, interrupt) -> metrics, `config.best_metric` among them, on the
        validation split. It may call `interrupt.check()` between its batches: then a signal ends
        it, and the resumed run validates anew. None = there is no validation split: no step is
        the best, and nothing stops early.
      checkpoints: where to save and to resume from; None in all processes but the first.
      config: see LoopConfig.
      augmentation: makes random views of the batches on the devices, which `step` unpacks; None =
        steps get the batches as they are.
      accumulation: parts that a device's share of a batch is worked through in.
      num_devices: devices of this process to train on.
      tensorboard: where scalars and images go; None = nowhere.
      draw: (variables, step) -> images (H, W, 3) uint8 by name, after each validation.
      stream: where progress goes; None = stderr.
      compiler_options: of XLA, for the step.

    Raises:
      NonFiniteLoss: the loss, a gradient or a parameter is not finite. Nothing of it is saved.
      ValueError: the batch cannot be cut into devices x accumulation.
      CheckpointMismatch: the last checkpoint is one of another model or optimiser.
      KeyError: `validate` gives no `config.best_metric`.
    """
    state, selection = _last_saved(checkpoints, state)
    start = int(state.step)
    with Interrupt(num_devices) as interrupt:
        loop = _Loop(
            state=parallel.replicate(state, num_devices),
            done=start,
            selection=selection or Selection(),
            saved=selection and (start, selection),
            validate=validate,
            checkpoints=checkpoints,
            config=config,
            tensorboard=tensorboard,
            draw=draw,
            progress=Progress(start, config.train_steps, stream),
            interrupt=interrupt,
        )
        try:
            mapped = parallel.over_devices(step, compiler_options, key=key)
            augmented = _augmented(augmentation, key)
            return loop.run(mapped, augmented, batches, num_devices, accumulation)
        finally:
            loop.progress.close()


def _augmented(augmentation: Augmentation | None, key: jax.Array) -> Callable[[dict], dict]:
    """Batch on the devices -> the one that the step gets, also there."""
    if augmentation is None:
        return lambda batch: batch
    draws = parallel.over_devices(augmentation.draws, donate=(), key=key)
    views = parallel.over_devices(augmentation.views, donate=())
    return lambda batch: views(batch, draws(batch["index"]))


def _last_saved(
    checkpoints: Checkpoints | None, state: TrainState
) -> tuple[TrainState, Selection | None]:
    """State and selection of the last checkpoint; `state` and None where there is none.

    Process 0 reads them and sends them to the others, who need not see its disk.
    """
    selection = None
    with processes.all_or_none():
        if checkpoints and (last := checkpoints.restore_last()):
            _, items = last
            state = from_items(state, items["variables"], items["training"])
            selection = Selection(**items["progress"])
    known = processes.in_first(lambda: selection and dataclasses.asdict(selection))
    return processes.arrays_of_first(state), known and Selection(**known)


@dataclass
class _Loop:
    """One call of `train`: its state, and what happens between two steps."""

    state: TrainState
    done: int
    selection: Selection
    saved: tuple[int, Selection] | None  # what the last checkpoint holds
    validate: Callable | None
    checkpoints: Checkpoints | None
    config: LoopConfig
    tensorboard: TensorBoard | None
    draw: Callable | None
    progress: Progress
    interrupt: Interrupt
    log: MetricLog = field(default_factory=MetricLog)
    window_start: float = field(default_factory=time.monotonic)
    window_steps: int = 0
    validation_seconds: float = 0.0

    def run(
        self,
        step: Callable,
        augmented: Callable[[dict], dict],
        batches: Callable[[int], Batches],
        num_devices: int,
        accumulation: int,
    ) -> Result:
        iterator = None
        try:
            while not (reason := self._between_steps()):
                if first := iterator is None:
                    iterator = batches(self.done)
                batch = dict(next(iterator))
                ids = [str(name) for name in batch.pop("id")]
                # Nothing here waits for an accelerator: the next batch is read and on its way while
                # the steps before it are worked on.
                on_devices = augmented(parallel.shard(batch, num_devices, accumulation))
                self.state, metrics = step(self.state, on_devices)
                self.done += 1
                self.window_steps += 1
                self.log.add(self.done, ids, metrics)
                self.interrupt.after_step()
                self.progress.step()
                if first or self.done % self.config.log_every == 0:
                    self._report(compiling=first)
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
        if self.checkpoints:
            self.checkpoints.wait()
        return Result(self.done, reason, self.selection, self.interrupt.exit_code)

    def _between_steps(self) -> str | None:
        """Validates and saves where that is due. Gives the reason to end here, or None."""
        validation_due = self._due(self.config.eval_every)
        if self.validate and validation_due and self.selection.validated_step != self.done:
            self._pausing(self._validate)
        reason = None
        if self.interrupt.signal is not None:
            reason = "interrupted"
        elif self.selection.exhausted(self.config.patience):
            reason = "stopped early"
        elif self.done >= self.config.train_steps:
            reason = "finished"
        due = reason or validation_due or self._due(self.config.save_every)
        if due and self.saved != (self.done, self.selection):
            self._pausing(self._save)
        return reason

    def _due(self, every: int) -> bool:
        """Whether something done every so many steps, and at the end, is to be done now."""
        at_end = self.done >= self.config.train_steps
        return self.done > 0 and (at_end or (every > 0 and self.done % every == 0))

    def _pausing(self, action: Callable[[], None]) -> None:
        """Runs `action` on a state that is known to be good, outside the clock of the steps."""
        self.log.check(self._last_checkpoint)
        begun = time.monotonic()
        action()
        self.window_start += time.monotonic() - begun

    def _validate(self) -> None:
        """Process 0 validates; all know what it found, and of a signal since."""
        found = processes.in_first(lambda: dataclasses.asdict(self._selection_now()))
        self.selection = Selection(**found)
        self.interrupt.meet()

    def _selection_now(self) -> Selection:
        """The selection after a validation; the one before where a signal ends that."""
        begun = time.monotonic()
        # As arrays of the host, as a checkpoint's are: an evaluation then compiles nothing anew.
        variables = unpack_all(parallel.unreplicate(evaluated(self.state)))
        try:
            self.interrupt.check()
            values = self.validate(variables, self.done, self.interrupt)
        except Interrupted:
            return self.selection
        name = self.config.best_metric
        if name not in values:
            raise KeyError(f"best_metric {name!r} is none of the validated {sorted(values)}")
        best = self.selection.after(self.done, float(values[name]), self.config.best_mode)
        if self.tensorboard:
            self.tensorboard.scalars(self.done, values, "validation")
            if self.draw:
                self.tensorboard.images(self.done, self.draw(variables, self.done), "validation")
        self.validation_seconds = time.monotonic() - begun
        self.progress.line(
            f"step {self.done}: validation {name} {values[name]:.4f}"
            + (
                ""
                if best.best_step is None
                else f" (best {best.best_value:.4f} at step {best.best_step})"
            )
        )
        return best

    def _save(self) -> None:
        if self.checkpoints:
            items = to_items(parallel.unreplicate(self.state))
            self.checkpoints.save(self.done, progress=dataclasses.asdict(self.selection), **items)
        self.saved = (self.done, self.selection)

    def _last_checkpoint(self) -> str:
        if not self.checkpoints:
            return "process 0 knows"
        self.checkpoints.wait()
        steps = self.checkpoints.steps()
        return str(self.checkpoints.directory / str(steps[-1])) if steps else "none yet"

    def _report(self, *, compiling: bool) -> None:
        """Shows and records the steps since the last report."""
        self.log.check(self._last_checkpoint)
        images = self.log.images * processes.count()
        values = self.log.take()
        seconds = time.monotonic() - self.window_start
        if compiling:
            self.progress.line(
                f"step {self.done}: loss {values['loss']:.4f}, first step and its compilation took "
                + duration(seconds)
            )
        else:
            left = self._left(seconds / self.window_steps)
            self.progress.report(self.done, values["loss"], images / seconds, left)
            values["images_per_second"] = images / seconds
        if self.tensorboard:
            self.tensorboard.scalars(self.done, values, "train")
        self.window_start, self.window_steps = time.monotonic(), 0

    def _left(self, seconds_per_step: float) -> float:
        """Seconds to the end, validations included, at the pace of late."""
        steps = self.config.train_steps - self.done
        validations = -(-steps // self.config.eval_every) if self.config.eval_every else 1
        return steps * seconds_per_step + validations * self.validation_seconds
