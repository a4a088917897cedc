"""What every evaluation writes and prints."""

import pathlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from experiments.run_folder import replaced_folder
from experiments.runtime import say
from experiments.saved_run import Restored
from imo_jax.atomic_files import write_json


@dataclass(frozen=True)
class Evaluation:
    """What was found out of a run.

    Attributes:
      summary: its scores, for summary.json.
      tables: name of a CSV file -> its rows.
      text: the scores for people.
      page: report.html.
      warnings: to be said once all is written.
    """

    summary: dict[str, Any]
    tables: Mapping[str, Iterable[dict[str, Any]]]
    text: str
    page: str
    warnings: tuple[str, ...] = ()


def write_evaluation(
    run: Restored, out: str | None, evaluate: Callable[[pathlib.Path], Evaluation]
) -> dict[str, Any]:
    """Writes an evaluation to one folder, whole or not at all, and prints its scores.

    Args:
      run: that is evaluated.
      out: folder to write; None = `eval` in the run's folder.
      evaluate: folder -> what was found; it draws its pictures there.

    Returns:
      What summary.json holds.
    """
    target = pathlib.Path(out) if out else run.folder.evaluation
    with replaced_folder(target) as folder:
        found = evaluate(folder)
        write_json(folder / "summary.json", found.summary)
        for name, rows in found.tables.items():
            pd.DataFrame(rows).to_csv(folder / name, index=False)
        (folder / "table.txt").write_text(found.text + "\n", encoding="utf-8")
        (folder / "report.html").write_text(found.page, encoding="utf-8")
    print(found.text)
    for warning in found.warnings:
        say(f"warning: {warning}")
    say(f"written to {target}; open {target / 'report.html'} in a browser")
    return found.summary
