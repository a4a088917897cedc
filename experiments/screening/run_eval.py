"""Evaluation of a trained screening run: scores with intervals, a table, plots, activation maps."""

import pathlib
import time
from typing import Any

from data_pipelines.circular import circular
from data_pipelines.load.screening_stores import INDICES, ScreeningStore
from experiments.evaluation_files import Evaluation, by_source, score_lines, write_evaluation
from experiments.prediction import SCORED
from experiments.report.volumes import volumes_report
from experiments.saved_run import TrainedScreening
from experiments.screening.drawing import cards_of, draw_cams, draw_plots
from experiments.screening.prediction import predict_volumes, records
from experiments.screening.scores import SCORES
from imo_jax.metrics.screening import VolumeRecord, record_row
from imo_jax.metrics.screening_baseline import constant_records, glaucoma_share, mean_field
from imo_jax.metrics.screening_summary import (
    LEVELS,
    chosen_thresholds,
    screening_difference,
    screening_summary,
)
from imo_jax.report.score_table import columns_of


def run_eval(run: TrainedScreening, out: str | None, store: ScreeningStore) -> dict[str, Any]:
    """Evaluates a run on the test split of its manifest and writes everything to one folder.

    The threshold beside 0.5 is chosen on the validation split by F1.

    Args:
      run: from restore_screening.
      out: folder to write; None = `eval` in the run's folder.
      store: the volumes of the run's manifest.

    Returns:
      What summary.json holds.
    """
    started = time.monotonic()
    settings = {"resamples": run.config.evaluation.bootstrap, "seed": run.config.seed}

    def evaluate(folder: pathlib.Path) -> Evaluation:
        said = {
            split: predict_volumes(run.variables, store, split, run.config, keep_seen=kept)
            for split, kept in (("val", False), (SCORED, True))
        }
        found = {split: records(store, split, of_split) for split, of_split in said.items()}
        thresholds = chosen_thresholds(found["val"]) if found["val"] else None
        trivial = baseline_records(found[SCORED], store)
        summary = {
            **screening_summary(found[SCORED], thresholds, **settings),
            "baseline": screening_summary(trivial, **settings),
            "difference_from_baseline": screening_difference(found[SCORED], trivial, **settings),
            "by_source": by_source(
                found[SCORED],
                store.sources(SCORED),
                lambda of_set: screening_summary(of_set, thresholds, **settings),
            ),
            "circular": circular_class(store),
            "chosen_thresholds": thresholds,
            "method": run.config.recipe.title,
            "train_subset": run.config.train_subset,
            "manifest": run.config.data.manifest,
            "split": SCORED,
            "checkpoint_step": run.step,
        }
        draw_plots(folder, found[SCORED], thresholds, run.config.recipe.title)
        seen = said[SCORED].seen
        draw_cams(folder / "cams", run, store, SCORED, found[SCORED], seen)
        cards = cards_of(store, SCORED, found[SCORED], seen)
        seconds = time.monotonic() - started
        page = volumes_report(
            run, store, summary, found[SCORED], cards, scores=SCORES, seconds=seconds
        )
        rows = {
            f"per_{level}.csv": map(record_row, group(found[SCORED]))
            for level, group in LEVELS.items()
        }
        return Evaluation(summary, rows, table(summary), page)

    return write_evaluation(run, out, evaluate)


def baseline_records(found: list[VolumeRecord], store: ScreeningStore) -> list[VolumeRecord]:
    """The same volumes if all were said to be as the training split is on average."""
    fields = mean_field(store.vf("train"), store.has_vf("train"))
    return constant_records(found, glaucoma_share(store.glaucoma("train")), fields)


def circular_class(store: ScreeningStore) -> str | None:
    """What is to be said where the class of a run's volumes is a threshold of MD."""
    place = INDICES.index("md")
    return circular(
        (int(glaucoma), float(md) if known else None)
        for split in store.splits
        for glaucoma, md, known in zip(
            store.glaucoma(split), store.vf(split)[:, place], store.has_vf(split)[:, place], strict=True
        )
    )


def table(summary: dict[str, Any]) -> str:
    """The scores as text: the network with its intervals, and the majority class."""
    head = (
        f"{summary['num_volumes']} {summary['split']} volumes of {summary['num_cases']} eye visits "
        f"of {summary['num_patients']} patients, {summary['manifest']} "
        f"(checkpoint of step {summary['checkpoint_step']})"
    )
    others = columns_of(summary, {"majority": summary["baseline"]})
    lines = score_lines(
        summary, others, SCORES, title="", value=summary["method"], widths=(46, 12, 17, 8)
    )
    mind = [f"mind: {summary['circular']}"] if summary["circular"] else []
    return "\n".join([head, *lines, *mind])
