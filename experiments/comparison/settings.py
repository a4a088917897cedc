"""What a comparison runs: its runs, and the settings of its rows, read from their flagfiles."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Mapping, Sequence

from absl import flags

from experiments.comparison.rows import Row
from experiments.config import EyeRunConfig
from experiments.eye_programs import PROGRAMS
from experiments.program_settings import ProgramSettings
from experiments.run_folder import RunFolder
from experiments.runtime import UserError
from experiments.saved_run import TrainedRun, restore_run

FLAGFILES = pathlib.Path(__file__).resolve().parents[1] / "flagfiles" / "tables"

# Scale -> learning rates tried. How long and at what size is said in scale_*.flags.
SCALES = {"cpu": (1e-3, 3e-3, 1e-2), "paper": (6e-5, 2e-4, 6e-4)}

# Flags that a comparison sets itself -> what to give instead.
NOT_EXTRA = {
    "seed": "--seeds=NUMBER",
    "learning_rate": "--rates=RATE,RATE",
    "size": "--scale=cpu|paper",
    "pretrained": "--pretrained=ROW=FILE,ROW=FILE",
    "network": "--only=ROW,ROW",
    "preset": "a flagfile of your own",
    "workdir": "--out=FOLDER",
    "mode": "nothing: runs are trained and evaluated",
    "flagfile": "the settings themselves",
}


@dataclasses.dataclass(frozen=True)
class Study:
    """What all rows of a comparison share.

    Attributes:
      out: folder of all runs and tables.
      manifests: one a fold.
      seeds: runs of each row and fold.
      rates: learning rates tried for each row.
      scale: of SCALES.
      extra: settings for every run, as `--name=value`.
      pretrained: row -> file of weights for its backbone; that of "imo" is also its ablations'.
    """

    out: pathlib.Path
    manifests: tuple[str, ...]
    seeds: int = 1
    rates: tuple[float, ...] = SCALES["cpu"]
    scale: str = "cpu"
    extra: tuple[str, ...] = ()
    pretrained: Mapping[str, str] = dataclasses.field(default_factory=dict)


def row_config(study: Study, row: Row, fold: int, seed: int, rate: float) -> EyeRunConfig:
    """Settings of one run of a row.

    In squares that a locator finds, all rows have one locator, see locator_folder.

    Raises:
      UserError: a setting that is not allowed.
    """
    arguments = [
        f"--flagfile={FLAGFILES / row.name}.flags",
        f"--flagfile={FLAGFILES}/scale_{study.scale}.flags",
    ]
    if study.scale == "paper":
        arguments.append(f"--size={row.paper_size}")
    if weights := weights_of(study, row):
        arguments.append(f"--pretrained={weights}")
    shared = _shared(row.program, tuple(arguments), study.extra)
    squares = shared.squares
    if squares.region == "disc" and squares.locator is None:
        squares = dataclasses.replace(squares, locator=str(locator_folder(study, fold, seed)))
    config = dataclasses.replace(
        shared,
        seed=seed,
        data=dataclasses.replace(shared.data, manifest=study.manifests[fold]),
        squares=squares,
        optimiser=dataclasses.replace(shared.optimiser, learning_rate=rate),
    )
    return config.completed()


def locator_folder(study: Study, fold: int, seed: int) -> pathlib.Path:
    """Where the run lies that finds the discs for all rows: they see the same squares."""
    return study.out / "locator" / f"fold{fold}-seed{seed}"


@functools.cache
def _shared(name: str, arguments: tuple[str, ...], extra: tuple[str, ...]) -> EyeRunConfig:
    """Settings of a program that all runs of a row share."""
    known, _ = split_extra(PROGRAMS[name], extra)
    return parsed(PROGRAMS[name], [*arguments, *known])


def weights_of(study: Study, row: Row) -> str | None:
    """The file of pretrained weights of a row; None = it is trained from scratch."""
    of_imo = study.pretrained.get("imo") if row.program == "imo" else None
    return study.pretrained.get(row.name, of_imo)


def parsed(program: ProgramSettings, arguments: Sequence[str]) -> EyeRunConfig:
    """The settings that a program's command line stands for.

    Raises:
      UserError: an unknown flag or a bad value.
    """
    values = _flags_of(program)
    try:
        values(["tables", *arguments])
    except flags.Error as error:
        raise UserError(str(error)) from error
    return program.configured(values)


def split_extra(program: ProgramSettings, extra: Sequence[str]) -> tuple[list[str], list[str]]:
    """The settings that a program has, and those that it has not."""
    values = _flags_of(program)
    try:
        unknown = values(["tables", *extra], known_only=True)[1:]
    except flags.Error as error:
        raise UserError(str(error)) from error
    return [argument for argument in extra if argument not in unknown], unknown


def check_extra(extra: Sequence[str], rows: Sequence[Row]) -> None:
    """UserError for a setting that no row has, or that the comparison sets itself."""
    for argument in extra:
        if not re.fullmatch(r"--\w+(=.*)?", argument, re.DOTALL):
            raise UserError(f"{argument}: settings for every run are given as --name=value")
        name = argument[2:].partition("=")[0]
        if name in NOT_EXTRA:
            raise UserError(f"--{name} differs between runs; give {NOT_EXTRA[name]}")
    programs = {row.program for row in rows if row.program}
    unknown = [split_extra(PROGRAMS[name], extra)[1] for name in sorted(programs)]
    for argument in extra:
        if unknown and all(argument in some for some in unknown):
            raise UserError(f"{argument}: none of the rows has this setting")


def fold_manifests(manifest: str, folds: int | None) -> tuple[str, ...]:
    """The manifests of all folds; the manifest itself where there are none.

    Args:
      manifest: DIR/manifest.csv, which stands for DIR/manifest_fold0.csv, ... if folds are given.
      folds: how many; None = one run on the manifest's own splits.

    Raises:
      UserError: listing the folds that are not there.
    """
    if folds is None:
        return (manifest,)
    path = pathlib.Path(manifest)
    stem = re.sub(r"_fold\d+$", "", path.stem)
    paths = [path.with_name(f"{stem}_fold{k}{path.suffix}") for k in range(folds)]
    if absent := [str(p) for p in paths if not p.exists()]:
        raise UserError(
            f"--folds={folds} needs {', '.join(absent)}; make the folds with\n"
            f"  python -m data_pipelines.manifest --layout=... --root=... --out={path.parent} "
            f"--folds={folds}"
        )
    return tuple(map(str, paths))


def _flags_of(program: ProgramSettings) -> flags.FlagValues:
    """The flags of a program that define a run, apart from those of this process."""
    values = flags.FlagValues()
    program.define_flags(values)
    return values


@dataclasses.dataclass(frozen=True)
class Run:
    """One training of a row."""

    row: Row
    fold: int
    seed: int
    rate: float

    @property
    def name(self) -> str:
        """Where it lies in the study's folder."""
        return f"{self.row.name}/fold{self.fold}-seed{self.seed}-rate{self.rate:g}"


def run_folder(study: Study, run: Run) -> RunFolder:
    return RunFolder(study.out / run.name)


def config_of(study: Study, run: Run) -> EyeRunConfig:
    return row_config(study, run.row, run.fold, run.seed, run.rate)


def tried_runs(study: Study, row: Row) -> list[Run]:
    """The runs among which the learning rates of the folds are chosen: seed 0 of each."""
    folds = range(len(study.manifests))
    return [Run(row, fold, 0, rate) for fold in folds for rate in study.rates]


def scored_runs(study: Study, row: Row, rates: Sequence[float]) -> list[list[Run]]:
    """The runs whose test eyes count, with the chosen rate of each fold: seed -> one a fold."""
    return [
        [Run(row, fold, seed, rate) for fold, rate in enumerate(rates)]
        for seed in range(study.seeds)
    ]


def restored(study: Study, run: Run) -> TrainedRun:
    """A finished run, with the evaluation settings of now."""
    config = config_of(study, run)
    found = restore_run(str(run_folder(study, run).root), {}, "best", type(config))
    return dataclasses.replace(found, config=config)
