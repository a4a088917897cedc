"""SEMT's table as a page: its tables, and the scores, ROC and learning curves of its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments import validation_log
from experiments.run_folder import RunFolder
from experiments.screening.config import ScreeningConfig
from experiments.screening.scores import read_records
from experiments.studies import study_page
from imo_jax.metrics.screening_summary import scores_and_classes
from imo_jax.report.figures import interval_figure, learning_curves, roc_figure
from imo_jax.report.page import Figure, Section
from imo_jax.report.seed_means import over_seeds
from imo_jax.report.volume_report import SCORES

# Scores that have a chart of their own: keys of summary.json.
CHARTS = ("image_accuracy", "image_auc", "case_accuracy", "case_auc", "vfi_mae", "md_mae", "psd_mae")
Summaries = Mapping[str, Sequence[dict[str, Any]]]


def table_page(
    words: str,
    tables: Sequence[Section],
    finished: Summaries,
    folders: Mapping[str, RunFolder],
    configs: Mapping[str, ScreeningConfig],
    seconds: float,
) -> str:
    """The HTML of the page.

    Args:
      words: what is compared, and how to read it.
      tables: with its numbers; one without rows is left out.
      finished: title of a row -> the summary of each seed.
      folders: title of a row -> of its run of seed 0.
      configs: title of a row -> settings of that run; all have one manifest.
      seconds: that this call took.
    """
    sections = [
        Section("setting", "What is compared", [words]),
        *(section for section in tables if section.table is not None and section.table.rows),
        Section("intervals", "Scores with their intervals", figures=score_figures(finished)),
        Section("curves", "Curves of seed 0", figures=curve_figures(folders, configs)),
    ]
    return study_page(
        "Screening with OCT volumes: SEMT and its rivals",
        sections,
        rows=list(folders),
        seeds=len(next(iter(finished.values()))),
        manifest=next(iter(configs.values())).data.manifest,
        settings=configs,
        seconds=seconds,
    )


def score_figures(finished: Summaries) -> list[Figure]:
    """A chart a score, a line a row that has it."""
    figures = []
    for key in CHARTS:
        values = [(title, over_seeds(summaries, key)) for title, summaries in finished.items()]
        if known := [(title, value) for title, value in values if value is not None]:
            figures.append(interval_figure(known, SCORES[key]))
    return figures


def curve_figures(
    folders: Mapping[str, RunFolder], configs: Mapping[str, ScreeningConfig]
) -> list[Figure]:
    """ROC of the volumes, and what chose the checkpoint by step."""
    records = {title: read_records(f.evaluation / "per_image.csv") for title, f in folders.items()}
    scores = {title: scores_and_classes(found) for title, found in records.items()}
    curves = [(t, f.validation, configs[t].loop.best_metric) for t, f in folders.items()]
    title = "What chooses the checkpoint, on the validation split"
    known = validation_log.curves(curves)
    return [roc_figure(scores, "glaucoma, image level"), *learning_curves(known, title)]
