"""Evaluation of a trained screening run: scores with intervals, a table, plots, activation maps."""

import pathlib
import time
from typing import Any

import numpy as np
import pandas as pd

from data_pipelines.load.screening_stores import ScreeningStore
from experiments.report.volumes import volumes_report
from experiments.run_folder import replaced_folder
from experiments.runtime import say
from experiments.saved_run import TrainedScreening
from experiments.screening.drawing import cards_of, draw_cams, draw_plots
from experiments.screening.prediction import predict_volumes, records
from imo_jax import visual_field
from imo_jax.atomic_files import write_json
from imo_jax.metrics.screening import VolumeRecord, record_row
from imo_jax.metrics.screening_baseline import constant_records, glaucoma_share, mean_field
from imo_jax.metrics.screening_summary import (
    LEVELS,
    chosen_thresholds,
    screening_difference,
    screening_summary,
)

SPLIT = "test"

# Rows of the printed table: key of summary.json -> what to call it.
TABLE = {
    **{
        f"{level}_{name}": f"{level} level: {title}"
        for level in ("image", "case")
        for name, title in {
            "accuracy": "accuracy",
            "f1": "F1",
            "auc": "AUC",
            "sensitivity_at_90_specificity": "sensitivity at 90 % specificity",
            "sensitivity_at_95_specificity": "sensitivity at 95 % specificity",
            "ece": "calibration error",
            "brier": "Brier score",
            "accuracy_at_chosen": "accuracy, threshold of validation",
            "f1_at_chosen": "F1, threshold of validation",
        }.items()
    },
    **{
        f"{index}_{name}": f"{index.upper()}: {title}"
        for index in visual_field.INDICES
        for name, title in {
            "r": "Pearson r",
            "mae": f"mean absolute error ({visual_field.UNITS[index]})",
            "rmse": f"root mean square error ({visual_field.UNITS[index]})",
        }.items()
    },
}


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
    target = pathlib.Path(out) if out else run.folder.evaluation
    started = time.monotonic()
    settings = {"resamples": run.config.evaluation.bootstrap, "seed": run.config.seed}
    with replaced_folder(target) as folder:
        said = {
            split: predict_volumes(run.variables, store, split, run.config, keep_seen=kept)
            for split, kept in (("val", False), (SPLIT, True))
        }
        found = {split: records(store, split, of_split) for split, of_split in said.items()}
        thresholds = chosen_thresholds(found["val"]) if found["val"] else None
        trivial = baseline_records(found[SPLIT], store)
        summary = {
            **screening_summary(found[SPLIT], thresholds, **settings),
            "baseline": screening_summary(trivial, **settings),
            "difference_from_baseline": screening_difference(found[SPLIT], trivial, **settings),
            "chosen_thresholds": thresholds,
            "method": run.config.recipe.title,
            "train_subset": run.config.train_subset,
            "manifest": run.config.data.manifest,
            "split": SPLIT,
            "checkpoint_step": run.step,
        }
        write_json(folder / "summary.json", summary)
        for level, group in LEVELS.items():
            rows = map(record_row, group(found[SPLIT]))
            pd.DataFrame(rows).to_csv(folder / f"per_{level}.csv", index=False)
        draw_plots(folder, found[SPLIT], thresholds, run.config.recipe.title)
        seen = said[SPLIT].seen
        draw_cams(folder / "cams", run, store, SPLIT, found[SPLIT], seen)
        text = table(summary)
        (folder / "table.txt").write_text(text + "\n", encoding="utf-8")
        cards = cards_of(store, SPLIT, found[SPLIT], seen)
        seconds = time.monotonic() - started
        page = volumes_report(
            run, store, summary, found[SPLIT], cards, scores=TABLE, seconds=seconds
        )
        (folder / "report.html").write_text(page, encoding="utf-8")
    print(text)
    say(f"written to {target}; open {target / 'report.html'} in a browser")
    return summary


def baseline_records(found: list[VolumeRecord], store: ScreeningStore) -> list[VolumeRecord]:
    """The same volumes if all were said to be as the training split is on average."""
    fields = mean_field(store.vf("train"), store.has_vf("train"))
    return constant_records(found, glaucoma_share(store.glaucoma("train")), fields)


def table(summary: dict[str, Any]) -> str:
    """The scores as text: the network with its intervals, and the majority class."""
    lines = [
        f"{summary['num_volumes']} {summary['split']} volumes of {summary['num_cases']} eye visits "
        f"of {summary['num_patients']} patients, {summary['manifest']} "
        f"(checkpoint of step {summary['checkpoint_step']})",
        f"{'':46}  {summary['method']:>12}  {'95 % interval':>17}  {'majority':>8}",
    ]  # fmt: skip
    for key, name in TABLE.items():
        if (value := summary.get(key)) is None:
            continue
        interval = f"{value['low']:.3f} .. {value['high']:.3f}"
        baseline = summary["baseline"].get(key)
        other = "-" if baseline is None else f"{baseline['value']:.3f}"
        lines.append(f"{name:46}  {value['value']:12.3f}  {interval:>17}  {other:>8}")
    return "\n".join(lines)


def read_records(path: pathlib.Path) -> list[VolumeRecord]:
    """The records behind a per_image.csv."""
    names = ("id", "patient", "eye", "visit")
    table = pd.read_csv(path, dtype=dict.fromkeys(names, str))
    fields = {
        kind: table[[f"{index}_{kind}" for index in visual_field.INDICES]].to_numpy(float)
        for kind in ("true", "pred")
    }
    return [
        VolumeRecord(
            **{name: row[name] for name in names},
            glaucoma=int(row["glaucoma"]),
            probability=float(row["probability"]),
            vf_predicted=None if np.isnan(predicted).all() else predicted,
            vf_measured=measured,
        )
        for row, measured, predicted in zip(
            table.to_dict("records"), fields["true"], fields["pred"], strict=True
        )
    ]
