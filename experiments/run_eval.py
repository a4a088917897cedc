"""Evaluation of a trained run: scores with intervals, a table, pictures."""

import dataclasses
import pathlib
import time
from typing import Any

from data_pipelines.load.counts import count
from data_pipelines.load.mirrored import to_mirror
from data_pipelines.load.stores import Store
from experiments import validation_log
from experiments.calibration import applicable, cdr_range
from experiments.evaluation_files import Evaluation, write_evaluation
from experiments.locator import seen_whole
from experiments.prediction import SCORED, predictions
from experiments.reading import common_grades
from experiments.report import report
from experiments.runtime import say
from experiments.saved_run import TrainedRun
from experiments.scoring import baseline_predictions, eye_picture, score_all
from imo_jax.atomic_files import write_picture, write_pictures
from imo_jax.metrics.by_source import by_source
from imo_jax.metrics.imo_eye import EyeRecord, eye_row
from imo_jax.metrics.imo_summary import grade_names_of, imo_difference, imo_summary
from imo_jax.models.registry import diffuses, kind_of
from imo_jax.predictor.batches import EyePrediction
from imo_jax.predictor.denoising import denoisings
from imo_jax.predictor.promises import kept_promises
from imo_jax.report import eye_cards
from imo_jax.report.eye_report import CURVES, eye_content, scores_in_text
from imo_jax.visualisation.eye_plots import eye_plots

STRIPS = 3  # denoising strips drawn
SLIDERS = 12  # eyes of the report whose denoising steps are shown

# Controls: the same network with something taken from it. Where a control scores alike, what was
# taken brings nothing: the denoising steps, the state that they pass on, the OCT volume.
STEP_CONTROLS = {"one_step": {"steps": 1}, "x_t_zeroed": {"zero_x_t": True}}
OCT_CONTROLS = {"oct_withheld": {"without_oct": True}}


def run_eval(run: TrainedRun, out: str | None, store: Store) -> dict[str, Any]:
    """Evaluates a run on the test split of its manifest and writes everything to one folder.

    Args:
      run: from restore_run.
      out: folder to write; None = `eval` in the run's folder.
      store: the eyes of the run's manifest.

    Returns:
      What summary.json holds.
    """
    run, store = in_common(run, store)
    started = time.monotonic()

    def evaluate(folder: pathlib.Path) -> Evaluation:
        cards: list[dict[str, Any]] = []
        each = drawer(run, store, folder, cards)
        records = score_all(store, SCORED, predictions(run, store), each)
        others = {"baseline": baseline_records(run, store)} | control_records(run, store)
        whole = seen_whole(run.config, store, SCORED)
        summary = summarise(run, records, others, store.sources(SCORED)) | {"seen_whole": whole}
        methods = {
            kind_of(run.config.model).title(run.config.model): summary,
            "baseline": summary["baseline"],
            **summary["controls"],
        }
        write_pictures(folder, eye_plots(records, methods))
        draw_denoising(run, store, folder, cards)
        rows = [eye_row(record) | {"warnings": "; ".join(record["warnings"])} for record in records]
        seconds = time.monotonic() - started
        content = eye_content(
            summary,
            records,
            cards,
            curves=validation_log.curves_of(run.folder.validation, CURVES),
            counts=count(store),
            grade_names=store.grade_names,
            own_grades=run.config.data.grade_names,
        )
        page = report(run, store, summary, records, content, seconds)
        text, warnings = scores_in_text(summary), warnings_of(whole, store)
        return Evaluation(summary, {"per_eye.csv": rows}, text, page, warnings)

    return write_evaluation(run, out, evaluate)


def in_common(run: TrainedRun, store: Store) -> tuple[TrainedRun, Store]:
    """A run and the eyes that it is scored on, both in grades that they have in common.

    Raises:
      UserError: they have none.
    """
    if not any(store.has_grade(split).any() for split in store.splits):
        # Whatever they would be called; `glaucoma` may still be known.
        names = run.config.data.grade_names
        return run, store.regraded(names, ())
    found = common_grades(run.config, store.grade_names)
    if found is None or found.in_words is None:
        return run, store
    say(found.in_words)
    return dataclasses.replace(run, grades=found), store.regraded(found.names, found.of_set)


def warnings_of(whole: list[str], store: Store) -> tuple[str, ...]:
    """What is said of eyes in which a run in two stages found no disc."""
    if not whole:
        return ()
    return (
        f"no credible disc in {len(whole)} of {store.num(SCORED)} {SCORED} eyes, which were seen "
        f"whole: {', '.join(whole)}",
    )


def control_records(run: TrainedRun, store: Store) -> dict[str, list[EyeRecord]]:
    """Records of each control that makes sense for the network and the eyes."""
    controls: dict[str, dict[str, Any]] = {}
    if diffuses(run.config.model):
        controls |= STEP_CONTROLS
    if run.config.model.use_oct and store.has_oct(SCORED).any():
        controls |= OCT_CONTROLS
    return {
        name: score_all(store, SCORED, predictions(run, store, **control))
        for name, control in controls.items()
    }


def baseline_records(run: TrainedRun, store: Store) -> list[EyeRecord]:
    """Records of the trivial baseline that was fitted on the training split."""
    same_side = run.config.augment.left_as_right
    found = baseline_predictions(run.baseline, store, SCORED, same_side)
    return score_all(store, SCORED, (prediction.regraded(run.grades) for prediction in found))


def drawer(run: TrainedRun, store: Store, folder: pathlib.Path, cards: list[dict[str, Any]]):
    """Draws the overlay of each eye as it is scored, as many as the settings want, and its card."""
    most = run.config.evaluation.overlays

    def draw(prediction: EyePrediction, record: EyeRecord) -> None:
        between = cdr_range(run, record)
        example = store.example(SCORED, prediction.index)
        cards.append(eye_cards.eye_card(example, prediction, record, between))
        wanted = most < 0 or prediction.index < most
        if wanted and prediction.probabilities is not None:
            picture = eye_picture(store, SCORED, prediction, record, between)
            write_picture(folder / "overlays" / f"{prediction.id}.png", picture)

    return draw


def draw_denoising(
    run: TrainedRun, store: Store, folder: pathlib.Path, cards: list[dict[str, Any]]
) -> None:
    """Writes denoising strips of the first eyes, and gives their cards the steps."""
    if not diffuses(run.config.model):
        return
    number = min(SLIDERS, store.num(SCORED))
    examples = [store.example(SCORED, i) for i in range(number)]
    turned = to_mirror(store.sides(SCORED), "OS", run.config.augment.left_as_right)
    found = denoisings(run.variables, run.config.model, examples, turned)
    for i, (card, steps) in enumerate(zip(cards, found, strict=False)):
        card["steps"] = eye_cards.step_cards(steps.probabilities, steps.times, card)
        if i < STRIPS:
            write_picture(folder / "strips" / f"{card['id']}.png", steps.strip)


def summarise(
    run: TrainedRun,
    records: list[EyeRecord],
    others: dict[str, list[EyeRecord]],
    sources: list[str],
) -> dict[str, Any]:
    """The network's scores at the top level; beside them baseline, controls, and what was run.

    `sources` are the data sets of the records.
    """
    settings = {"resamples": run.config.evaluation.bootstrap, "seed": run.config.seed}
    controls = {name: r for name, r in others.items() if name != "baseline"}
    return {
        **imo_summary(records, **settings),
        **kept_promises(applicable(run), records, grades=run.grades, **settings),
        "baseline": imo_summary(others["baseline"], **settings),
        "controls": {name: imo_summary(r, **settings) for name, r in controls.items()},
        "controls_difference": {
            name: imo_difference(records, r, **settings) for name, r in controls.items()
        },
        "by_source": by_source(records, sources, lambda of_set: imo_summary(of_set, **settings)),
        "manifest": run.config.data.manifest,
        "trained_on": run.learned_from,
        "grades": list(grade_names_of(records)) if run.config.model.grade else None,
        "grade_map": None if run.grades is None else run.grades.in_words,
        "split": SCORED,
        "checkpoint_step": run.step,
        "network": kind_of(run.config.model).title(run.config.model),
        "samples": run.config.samples,
    }
