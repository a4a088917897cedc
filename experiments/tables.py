"""The paper's Tables 1 to 3 on any manifest: all rows on the same eyes, crops and steps.

python -m experiments.tables --table=1 --seeds=3                                  # on the phantom
python -m experiments.tables --table=3 --manifest=data/gamma/manifest.csv --folds=5 --scale=paper

Runs what is missing, goes on where it was stopped, and writes table.md, table.csv, intervals.png
and eyes.png to --out/table1. Further settings, as --train_steps=200, hold for every run. See
docs/tables.md.
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

import argparse  # isort: skip
import pathlib
import sys
from collections.abc import Sequence

from experiments.comparison.compare import run_table
from experiments.comparison.rows import TABLES
from experiments.comparison.settings import SCALES, Study, fold_manifests
from experiments.config import PHANTOM
from experiments.program_end import exit_code
from experiments.reading import make_default_phantom
from experiments.runtime import set_up


def parser() -> argparse.ArgumentParser:
    """The command line, but for the settings that every run gets."""
    made = argparse.ArgumentParser(
        prog="python -m experiments.tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--table", type=int, choices=list(TABLES), required=True)
    made.add_argument("--manifest", default=PHANTOM, help="eyes; default: the phantom")
    made.add_argument(
        "--folds",
        type=_count,
        help="cross-validation: DIR/manifest.csv stands for DIR/manifest_fold0.csv, ..., made by "
        "data_pipelines.manifest --folds; default: the manifest's own splits",
    )
    made.add_argument("--seeds", type=_count, default=1, help="runs of each row and fold")
    made.add_argument(
        "--rates",
        type=_numbers,
        help="learning rates tried for each row with seed 0 of fold 0, chosen on validation; "
        f"default: {'; '.join(f'{s}: {_listed(r)}' for s, r in SCALES.items())}",
    )
    made.add_argument(
        "--scale", choices=list(SCALES), default="cpu", help="sizes of networks, images, runs"
    )
    made.add_argument("--only", type=_words, metavar="ROW,ROW", help="rows; default: all")
    made.add_argument(
        "--pretrained",
        type=_pairs,
        default={},
        metavar="ROW=FILE,ROW=FILE",
        help="weights of backbones; those of imo are also its ablations'",
    )
    made.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("runs/tables"), help="runs and tables"
    )
    return made


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _numbers(text: str) -> tuple[float, ...]:
    values = tuple(float(word) for word in text.split(","))
    if min(values) <= 0 or len(set(values)) < len(values):
        raise argparse.ArgumentTypeError(f"{text}: want different positive numbers")
    return values


def _words(text: str) -> list[str]:
    return text.split(",")


def _pairs(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in text.split(",")]
    if any(not (name and file) for name, _, file in pairs):
        raise argparse.ArgumentTypeError(f"{text}: want ROW=FILE,ROW=FILE")
    return {name: file for name, _, file in pairs}


def _listed(rates: Sequence[float]) -> str:
    return ",".join(f"{rate:g}" for rate in rates)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tool; returns the exit code."""
    options, extra = parser().parse_known_args(arguments)
    set_up()
    return exit_code(lambda: _filled(options, extra))


def _filled(options: argparse.Namespace, extra: Sequence[str]) -> int:
    """Fills the table that is asked for."""
    if options.folds is None:
        make_default_phantom(options.manifest)
    study = Study(
        out=options.out,
        manifests=fold_manifests(options.manifest, options.folds),
        seeds=options.seeds,
        rates=options.rates or SCALES[options.scale],
        scale=options.scale,
        extra=tuple(extra),
        pretrained=options.pretrained,
    )
    return run_table(study, options.table, options.only)


if __name__ == "__main__":
    sys.exit(main())
