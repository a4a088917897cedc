"""Evaluation of a trained screening run: scores with intervals, a table, plots, activation maps."""

import pathlib
import time
from collections.abc import Callable
from typing import Any

from data_pipelines.circular import circular
from data_pipelines.load.screening_counts import count_screening
from data_pipelines.load.screening_stores import INDICES, ScreeningStore
from experiments.evaluation_files import Evaluation, write_evaluation
from experiments.prediction import SCORED
from experiments.report import report
from experiments.run_folder import RunFolder
from experiments.saved_run import TrainedScreening
from experiments.screening.prediction import predict_volumes, records
from experiments.validation_log import curves_of
from imo_jax.atomic_files import write_pictures
from imo_jax.metrics.by_source import by_source
from imo_jax.metrics.screening import VolumeRecord, record_row
from imo_jax.metrics.screening_baseline import constant_records, glaucoma_share, mean_field
from imo_jax.metrics.screening_summary import (
    LEVELS,
    Thresholds,
    chosen_thresholds,
    screening_difference,
    screening_summary,
)
from imo_jax.predictor.volume_batches import evidence_of
from imo_jax.predictor.volume_result import Evidence
from imo_jax.report.figures import learning_curves
from imo_jax.report.page import Figure
from imo_jax.report.volume_cards import common_limits, volume_card
from imo_jax.report.volume_report import CURVES, scores_in_text, volume_content
from imo_jax.visualisation.volume_plots import evidence_plots, volume_plots


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
        seen = said[SCORED].seen
        evidence = lambda row: evidence_of(store, SCORED, row, seen[row])
        draw(run, folder, found[SCORED], thresholds, evidence)
        limits = common_limits([of_volume.maps for of_volume in seen])
        cards = [volume_card(r, evidence(k), limits) for k, r in enumerate(found[SCORED])]
        seconds = time.monotonic() - started
        content = volume_content(
            summary,
            found[SCORED],
            cards,
            curves=learning_curves_of(run),
            counts=count_screening(store),
        )
        page = report(run, store, summary, found[SCORED], content, seconds)
        rows = {
            f"per_{level}.csv": map(record_row, group(found[SCORED]))
            for level, group in LEVELS.items()
        }
        return Evaluation(summary, rows, scores_in_text(summary), page)

    return write_evaluation(run, out, evaluate)


def draw(
    run: TrainedScreening,
    folder: pathlib.Path,
    found: list[VolumeRecord],
    thresholds: Thresholds | None,
    evidence: Callable[[int], Evidence],
) -> None:
    """Writes the plots of the scores, and to `cams` where evidence was seen in some volumes."""
    title, number = run.config.recipe.title, run.config.evaluation.overlays
    write_pictures(folder, volume_plots(found, thresholds, title))
    write_pictures(folder / "cams", evidence_plots(found, evidence, number, title))


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


def learning_curves_of(run: TrainedScreening) -> list[Figure]:
    """Learning curves, of both stages where there were two."""
    figures = learning_curves(curves_of(run.folder.validation, CURVES))
    if run.config.recipe.surrogates:
        first = RunFolder(run.config.stage1_folder(run.folder.root))
        title = "Stage 1, whose features are compared: scores on the validation split"
        figures += learning_curves(curves_of(first.validation, CURVES), title)
    return figures
