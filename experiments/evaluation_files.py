"""What every evaluation writes, and the scores that it prints."""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from experiments.run_folder import replaced_folder
from experiments.runtime import say
from experiments.saved_run import Restored
from imo_jax.atomic_files import write_json

NO_SOURCE = "no source"  # of rows whose column `source` is empty, beside others

Record = TypeVar("Record")
Summary = Mapping[str, Any]  # key -> {"value", "low", "high"}, None, or what was evaluated


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


def by_source(
    records: Sequence[Record], sources: Sequence[str], scores: Callable[[list[Record]], Summary]
) -> dict[str, Summary]:
    """The scores of each data set that a manifest was joined from; {} of a single one.

    Args:
      records: of a split.
      sources: the data set of each.
      scores: of some of them.
    """
    members: dict[str, list[Record]] = {}
    for record, source in zip(records, sources, strict=True):
        members.setdefault(source or NO_SOURCE, []).append(record)
    return {n: scores(of_set) for n, of_set in members.items()} if len(members) > 1 else {}


def score_lines(
    summary: Summary,
    others: Mapping[str, Summary],
    scores: Mapping[str, str],
    *,
    title: str,
    value: str,
    widths: tuple[int, int, int, int],
) -> list[str]:
    """The scores that are defined as lines of text: with their intervals, and beside them others.

    Args:
      summary: of the network.
      others: name -> summary, such as the baseline and controls.
      scores: key -> what to call it.
      title, value: over the names and the values.
      widths: of names, values and intervals, and the least one of the others.
    """
    names, values, intervals, least = widths
    columns = {name.replace("_", " "): other for name, other in others.items()}
    room = {name: max(least, len(name)) for name in columns}
    head = [title.ljust(names), value.rjust(values), "95 % interval".rjust(intervals)]
    lines = ["  ".join(head + [name.rjust(room[name]) for name in columns])]
    for key, name in scores.items():
        if (found := summary.get(key)) is None:
            continue
        interval = f"{found['low']:.3f} .. {found['high']:.3f}"
        cells = [f"{name:{names}}", f"{found['value']:{values}.3f}", interval.rjust(intervals)]
        cells += [_number(other.get(key)).rjust(room[n]) for n, other in columns.items()]
        lines.append("  ".join(cells))
    return lines


def _number(value: Mapping[str, float] | None) -> str:
    return "-" if value is None or value["value"] != value["value"] else f"{value['value']:.3f}"
