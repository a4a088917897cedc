"""The report of an evaluation, on eyes or on volumes: its sections in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from imo_jax.report.page import Figure, Section, Table, render
from imo_jax.report.run_facts import made

Facts = Sequence[tuple[str, str]]  # name and value


@dataclass(frozen=True)
class Content:
    """What a report shows of what was evaluated; `eye_report` and `volume_report` make it.

    Attributes:
      network: what it is called.
      noun: what was evaluated, in the plural.
      count: how much of it, in words.
      how_to_read: paragraphs over the scores.
      scores: the table of scores.
      plots, curves: figures.
      gallery, data: sections.
      facts: what only such an evaluation knows of its run: facts before the step of the checkpoint,
        and after it.
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
    facts: tuple[Facts, Facts]
    group_scores: Callable[..., dict[str, str]]
    who: Callable[[Any], tuple[str, str]]
    limits: str


def evaluation_report(content: Content, subtitle: str, run: Section, card: Section) -> str:
    """The HTML of the report.

    Args:
      content: what is shown.
      subtitle: under the network's name.
      run: what was run, from `run_facts.run_section`.
      card: from `model_card.card_section`.
    """
    sections = [
        Section("scores", "Scores", content.how_to_read, content.scores),
        Section("plots", "Plots", figures=content.plots),
        Section("training", "Training", figures=content.curves),
        content.gallery,
        content.data,
        run,
        card,
    ]
    return render(f"{content.network} on {content.count}", subtitle, sections, made())
