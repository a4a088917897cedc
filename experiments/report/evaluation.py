"""The report of an evaluation, on eyes or on volumes: its sections in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments.report.model_card import card_section, trained_on
from experiments.report.run_facts import ended, made, run_section
from experiments.saved_run import Restored
from imo_jax.models.variables import parameters
from imo_jax.report.page import Figure, Section, Table, render


@dataclass(frozen=True)
class Content:
    """What a report shows.

    Attributes:
      network: what it is called.
      noun: what was evaluated, in the plural.
      count: how much of it, in words.
      how_to_read: paragraphs over the scores.
      scores: the table of scores.
      plots, curves: figures.
      gallery, data: sections.
      facts: name and value of what only such an evaluation knows of its run: those before the step
        of the checkpoint, and those after it.
      group_scores: (records, resamples=) -> name of a score -> its text, of a subgroup.
      who: record -> id of its row in the manifest, and its patient.
      limits: of such networks.
    """

    network: str
    noun: str
    count: str
    how_to_read: Sequence[str]
    scores: Table
    plots: Sequence[Figure]
    curves: Sequence[Figure]
    gallery: Section
    data: Section
    facts: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]
    group_scores: Callable[..., dict[str, str]]
    who: Callable[[Any], tuple[str, str]]
    limits: str


def evaluation_report(
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
    manifest, step = run.config.data.manifest, summary["checkpoint_step"]
    before, after = content.facts
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
    sections = [
        Section("scores", "Scores", content.how_to_read, content.scores),
        Section("plots", "Plots", figures=content.plots),
        Section("training", "Training", figures=content.curves),
        content.gallery,
        content.data,
        run_section({"All settings": run.config}, facts),
        card_section(
            trained_on(manifest, store, content.noun, run.learned_from),
            manifest,
            records,
            partial(content.group_scores, resamples=run.config.evaluation.bootstrap),
            who=content.who,
            limits=content.limits,
        ),
    ]
    subtitle = f"{summary['manifest']}, checkpoint of step {step}"
    return render(f"{content.network} on {content.count}", subtitle, sections, made())
