"""The report of an evaluation: what a run's folder and its data say, beside what was found."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from data_pipelines.manifest.subgroups import subgroups
from data_pipelines.manifest.table import SUBGROUPS
from data_pipelines.phantom.dataset import is_phantom
from experiments.saved_run import Restored
from imo_jax.models.variables import parameters
from imo_jax.report.evaluation import Content, evaluation_report
from imo_jax.report.model_card import card_section, trained_on
from imo_jax.report.page import Section
from imo_jax.report.run_facts import ended, run_section


def report(
    run: Restored,
    store: Any,
    summary: dict[str, Any],
    records: Sequence[Any],
    content: Content,
    seconds: float,
) -> str:
    """The HTML of the report.

    Args:
      run: that was evaluated.
      store: its data.
      summary, records: of the evaluation.
      content: what is shown of it.
      seconds: that the evaluation took.
    """
    step, (before, after) = summary["checkpoint_step"], content.facts
    facts = [
        ("run folder", str(run.folder.root)),
        ("manifest", summary["manifest"]),
        ("network", f"{content.network}, {parameters(run.variables):,} parameters"),
        *before,
        ("checkpoint", f"step {step} of {run.config.loop.train_steps}"),
        *after,
        ("pretrained weights", run.config.pretrained or "none"),
        ("seed", str(run.config.seed)),
        ("time of evaluation", ended(seconds)),
    ]
    return evaluation_report(
        content,
        f"{summary['manifest']}, checkpoint of step {step}",
        run_section({"All settings": run.config}, facts),
        card(run, store, records, content),
    )


def card(run: Restored, store: Any, records: Sequence[Any], content: Content) -> Section:
    """The model card, with the scores of the groups that the manifest tells of; see `report`."""
    manifest = run.config.data.manifest
    groups = subgroups(manifest, [content.who(record)[0] for record in records])
    return card_section(
        trained_on(
            manifest,
            {split: store.num(split) for split in ("train", "val", "test")},
            len(set(store.patients("train"))),
            content.noun,
            learned_from=run.learned_from,
            phantom=is_phantom(manifest),
        ),
        {name: [records[i] for i in rows] for name, rows in groups.items()},
        partial(content.group_scores, resamples=run.config.evaluation.bootstrap),
        patient_of=lambda record: content.who(record)[1],
        columns=SUBGROUPS,
        limits=content.limits,
    )
