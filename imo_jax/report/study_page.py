"""The page of a study of many trainings: what it found, what was run, and what it is for."""

from collections.abc import Mapping, Sequence
from typing import Any

from imo_jax.report.model_card import use_section
from imo_jax.report.page import Section, render
from imo_jax.report.run_facts import ended, made, run_section


def study_page(
    title: str,
    sections: Sequence[Section],
    *,
    settings: Mapping[str, Any],
    rows: Sequence[str],
    seeds: int,
    manifest: str,
    phantom: bool,
    seconds: float,
) -> str:
    """The HTML of a study's page.

    Args:
      title: of the study.
      sections: what it found.
      settings: title of a row -> dataclass of the settings of its first run.
      rows: titles of what is compared.
      seeds: runs of each.
      manifest: of the data.
      phantom: whether a program drew them.
      seconds: that this call took.
    """
    facts = [("rows", ", ".join(rows)), ("seeds", str(seeds)), ("manifest", manifest),
             ("time of this call", ended(seconds))]  # fmt: skip
    of_rows = {f"Settings of {name}": config for name, config in settings.items()}
    sections = [*sections, run_section(of_rows, facts), use_section(phantom)]
    return render(title, f"{len(rows)} rows on {manifest}", sections, made())
