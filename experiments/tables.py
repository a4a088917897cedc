"""The paper's Tables 1 to 3 on any manifest: all rows on the same eyes, crops and steps.

python -m experiments.tables --table=1 --seeds=3                                  # on the phantom
python -m experiments.tables --table=3 --manifest=data/gamma/manifest.csv --folds=5 --scale=paper

Runs what is missing, goes on where it was stopped, and writes table.md, table.csv, intervals.png
and eyes.png to --out/table1. Further settings, as --train_steps=200, hold for every run. See
docs/tables.md.
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

import argparse  # isort: skip
import functools
import math
import pathlib
import sys
import time
from collections.abc import Sequence

import pandas as pd

from data_pipelines.load.stores import Store
from data_pipelines.phantom.dataset import is_phantom
from experiments import validation_log
from experiments.comparison.eyes import labelled_eyes, some_eyes
from experiments.comparison.finished import best_run, described, finished_row
from experiments.comparison.rows import IMO, TABLES, Row, Table
from experiments.comparison.runs import check_study, run_row
from experiments.comparison.settings import (
    SCALES,
    Study,
    config_of,
    fold_manifests,
    restored,
    run_folder,
)
from experiments.comparison.stores import Stores
from experiments.config import PHANTOM
from experiments.program_end import exit_code
from experiments.reading import make_default_phantom
from experiments.runtime import set_up
from experiments.squares import evaluation_store
from experiments.studies import chosen_rows, done_in_order, write_study
from imo_jax.predictor.locator import NOT_LOCATED
from imo_jax.report.comparison import Comparison, compared
from imo_jax.report.comparison_eyes import eyes_picture, eyes_section
from imo_jax.report.comparison_page import page_sections
from imo_jax.report.comparison_tables import COLUMNS, flat, in_words, intervals_picture
from imo_jax.report.study_page import study_page


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
        help="learning rates tried for each row with seed 0 of each fold, and chosen on its "
        "validation eyes; one is taken as it is; "
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
    try:
        values = tuple(float(word) for word in text.split(","))
    except ValueError:
        values = (math.nan,)
    if len(set(values)) < len(values) or not all(0 < value < math.inf for value in values):
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


def run_table(study: Study, number: int, names: Sequence[str] | None = None) -> int:
    """Runs what is missing of a table and writes report.html, table.md, table.csv and pictures.

    Args:
      study: what all rows share.
      number: of the paper's table, 1 to 3.
      names: rows (Row.name); None = all.

    Returns:
      The exit code: not 0 where a run was interrupted; the same command goes on.

    Raises:
      UserError: unknown rows, bad input, or a folder with runs of other settings.
    """
    started = time.monotonic()
    table = TABLES[number]
    rows = chosen_rows(table.rows, names)
    check_study(study, rows)
    for manifest in study.manifests:
        make_default_phantom(manifest)
    stores = Stores(choosing=len(study.rates) > 1)
    trained = [row for row in rows if row.program]
    if code := done_in_order(functools.partial(run_row, study, row, stores) for row in trained):
        return code
    write_all(study.out / f"table{number}", study, table, rows, stores, started)
    return 0


def write_all(
    folder: pathlib.Path,
    study: Study,
    table: Table,
    rows: Sequence[Row],
    stores: Stores,
    started: float,
) -> None:
    """Writes all files of a table whose rows are finished, begun at `started`, and prints it."""
    finished = [finished_row(study, row, stores) for row in rows]
    shown = best_run(study, rows[0] if rows[0].program else IMO)
    first = config_of(study, shown)
    seen = evaluation_store(restored(study, shown), stores.of(first))
    setting = described(study, rows)
    if not seen.num("val"):
        setting += " No validation eyes: every run's last checkpoint counts, none was chosen."
    if lost := [i for i in seen.ids("test") if NOT_LOCATED in seen.doubts.get(i, ())]:
        setting += (
            f" With seed 0 no disc was found in {len(lost)} of {seen.num('test')} test eyes: these were "
            "seen whole."
        )
    comparison = compared(
        finished,
        first.evaluation.bootstrap,
        title=table.title,
        heads=table.heads,
        note=table.note,
        setting=setting,
    )
    page = page_of(study, rows, comparison, seen, started)
    title = f"{table.title}: test eyes, seed 0"
    pictures = {
        "intervals.png": intervals_picture(comparison),
        "eyes.png": eyes_picture(finished, some_eyes(seen), table.heads, title),
    }
    numbers = pd.DataFrame(flat(comparison), columns=COLUMNS)
    write_study(folder, "table", in_words(comparison), numbers, pictures, page)


def page_of(
    study: Study, rows: Sequence[Row], comparison: Comparison, seen: Store, started: float
) -> str:
    """The HTML of a table's page; arguments as write_all, and the eyes of its gallery."""
    runs = {row.title: best_run(study, row) for row in rows if row.program}
    settings = {title: config_of(study, run) for title, run in runs.items()}
    curves = validation_log.curves(
        (title, run_folder(study, run).validation, settings[title].loop.best_metric)
        for title, run in runs.items()
    )
    finished, heads, manifest = comparison.rows, comparison.heads, study.manifests[0]
    gallery = eyes_section(finished, labelled_eyes(seen), heads, seen.grade_names)
    return study_page(
        comparison.title,
        page_sections(comparison, curves, gallery),
        settings=settings,
        rows=[row.title for row in finished],
        seeds=study.seeds,
        manifest=manifest,
        phantom=is_phantom(manifest),
        seconds=time.monotonic() - started,
    )


if __name__ == "__main__":
    sys.exit(main())
