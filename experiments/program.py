"""The skeleton of every program: its command line, and what each mode does, written once."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from absl import app, flags

from data_pipelines.manifest import format_problems
from data_pipelines.manifest.problems import errors
from experiments import hosts
from experiments.program_end import exit_code, leave, parsed_flags
from experiments.program_help import answer_help
from experiments.program_settings import ProgramSettings
from experiments.run_export import run_export
from experiments.runtime import UserError, set_up
from experiments.training import check_weights
from imo_jax.export.bundle import FORMATS
from imo_jax.train import processes

FLAGS = flags.FLAGS

TRAINING = (None, "train", "surrogate")  # modes in which several processes can work together


@dataclass(frozen=True)
class Task:
    """What a program does where those on eyes and those on volumes differ.

    Attributes:
      define_flags: defines the flags that only such programs have.
      only_in: flag -> the one mode in which it does something.
      make_default_phantom: makes the data set where the default manifest is absent.
      problems: (config, need) -> all that is wrong with its manifest; see reading.problems_of.
      refuse: (config, workdir); UserError for what would fail after the data are prepared.
      store: (config, need) -> its data, prepared, after checking all of them.
      train: (config, workdir, store) -> exit code, and the store to evaluate on.
      restore: (workdir, settings given now, checkpoint, config class) -> a trained run.
      seen: (trained run, store) -> the data as its network sees them.
      evaluate: (trained run, folder or None, store); writes an evaluation.
      predict: (trained run, settings given now) -> exit code.
    """

    define_flags: Callable[[], None]
    only_in: Mapping[str, str]
    make_default_phantom: Callable[[str], None]
    problems: Callable[..., list]
    refuse: Callable[[Any, str], None]
    store: Callable[[Any, Collection[str]], Any]
    train: Callable[[Any, str, Any], tuple[int, Any]]
    restore: Callable[[str, dict[str, Any], str, type], Any]
    seen: Callable[[Any, Any], Any]
    evaluate: Callable[[Any, str | None, Any], Any]
    predict: Callable[[Any, dict[str, Any]], int]


@dataclass(frozen=True)
class Program:
    """A program that trains one kind of network.

    Attributes:
      about: what it is, and examples, for --help.
      settings: what its command line can say of a run.
      task: what it does.
      modes: name of --mode -> its work, which returns the exit code; MODES, and more.
    """

    about: str
    settings: ProgramSettings
    task: Task
    modes: "Mapping[str, Callable[[Program], int]]"

    def run(self) -> None:
        """Parses the command line, does what it says and exits."""
        self._define_flags()
        answer_help(self.about, self.settings.default())
        app.run(lambda _: leave(exit_code(self._main)), flags_parser=parsed_flags)

    def _define_flags(self) -> None:
        flags.DEFINE_enum(
            "mode", None, list(self.modes), "what to do; without it: train, evaluate and draw"
        )
        flags.DEFINE_string(
            "out", None, "folder for evaluation, predictions or export; default: in --workdir"
        )
        flags.DEFINE_enum(
            "checkpoint", "best", ["best", "last"], "which one to evaluate, predict with or export"
        )
        flags.DEFINE_enum("format", "stablehlo", list(FORMATS), "of the files (--mode=export)")
        self.task.define_flags()
        self.settings.define_flags()

    def _main(self) -> int:
        self._refuse_idle_flags()
        self._refuse_files()
        set_up()
        hosts.join_others(FLAGS.mode, TRAINING)
        return {None: Program.train_and_evaluate, **self.modes}[FLAGS.mode](self)

    def _refuse_idle_flags(self) -> None:
        """UserError for flags that were given and do nothing in this mode."""
        only_in = {**self.task.only_in, "format": "export"}
        idle = [n for n, mode in only_in.items() if FLAGS[n].present and FLAGS.mode != mode]
        if idle:
            told = "; ".join(
                f"--{name} does nothing without --mode={only_in[name]}" for name in idle
            )
            raise UserError(told)

    def _refuse_files(self) -> None:
        """UserError for a file where a folder is to be written, before anything is read."""
        given = [(name, FLAGS[name].value) for name in ("workdir", "out") if FLAGS[name].present]
        if files := [f"--{name}={path}" for name, path in given if os.path.isfile(path)]:
            raise UserError(f"{' and '.join(files)}: is a file; give a folder")

    def train(self) -> int:
        return self.trained(*self.opened(("train",)))[0]

    def eval(self) -> int:
        run = self.restored()
        whole = self.task.store(run.config, ("eval",))
        self.task.evaluate(run, FLAGS.out, self.task.seen(run, whole))
        return 0

    def train_and_evaluate(self) -> int:
        exit_code, seen = self.trained(*self.opened(("train", "eval")))
        if exit_code or not processes.is_first():
            return exit_code
        self.task.evaluate(self.restored(), FLAGS.out, seen)
        return 0

    def predict(self) -> int:
        return self.task.predict(self.restored(), self.settings.given())

    def export(self) -> int:
        run, format = self.restored(), FLAGS.format
        run_export(run.predictor(), format=format, out=run.folder.export(format, FLAGS.out))
        return 0

    def check(self) -> int:
        """Says everything that is wrong with the manifest and its files, and does nothing else."""
        config = self.with_phantom()
        problems = self.task.problems(config, ("train", "eval"), say=print)
        print(f"{config.data.manifest}: {format_problems(problems)}")
        return 1 if errors(problems) else 0

    def with_phantom(self) -> Any:
        """The settings of a run whose manifest is there, if it is the default one."""
        config = self.settings.configured()
        self.task.make_default_phantom(config.data.manifest)
        return config

    def opened(self, need: Collection[str]) -> tuple[Any, Any]:
        """The settings of a run that is to be trained, and its data."""

        def prepared(config: Any) -> Any:
            check_weights(config.pretrained)
            self.task.refuse(config, FLAGS.workdir)
            self.task.make_default_phantom(config.data.manifest)
            return self.task.store(config, need)

        return hosts.opened(FLAGS.workdir, self.settings.configured, prepared)

    def trained(self, config: Any, store: Any) -> tuple[int, Any]:
        """Trains; the exit code, and the store to evaluate on. Then each process is on its own."""
        result = self.task.train(config, FLAGS.workdir, store)
        processes.leave()
        return result

    def restored(self) -> Any:
        """The trained run of the folder, with the settings given now."""
        return self.task.restore(
            FLAGS.workdir, self.settings.given(), FLAGS.checkpoint, self.settings.config_class
        )


# What every program does.
MODES: dict[str, Callable[[Program], int]] = {
    name: getattr(Program, name) for name in ("train", "eval", "predict", "export", "check")
}
