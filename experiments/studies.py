"""What all studies of many trainings share: rows by name, runs that are missing, one set of pages."""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd

from experiments.runtime import UserError, say
from imo_jax.atomic_files import write_pictures, write_table, write_text


class Named(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str: ...


Row = TypeVar("Row", bound=Named)


def chosen_rows(rows: Sequence[Row], names: Sequence[str] | None) -> list[Row]:
    """Rows by name (None = all), in their own order; UserError names those that are not there."""
    known = {row.name: row for row in rows}
    if unknown := [name for name in names or () if name not in known]:
        raise UserError(f"rows {', '.join(unknown)}: there are {', '.join(known)}")
    return [row for row in rows if names is None or row.name in names]


def done_in_order(works: Iterable[Callable[[], int]]) -> int:
    """Does one work after the other until one is interrupted; its exit code, or 0.

    Each work leaves alone what is finished, so that the same command goes on.
    """
    return next((code for work in works if (code := work())), 0)


def write_study(
    folder: pathlib.Path,
    name: str,
    text: str,
    numbers: pd.DataFrame,
    pictures: Mapping[str, np.ndarray],
    page: str | None = None,
) -> None:
    """Writes what a study found, and prints it.

    Args:
      folder: where to.
      name: of the files for people (.md) and for machines (.csv).
      text: Markdown.
      numbers: one line a number.
      pictures: name of a file -> pixels.
      page: report.html; None = there is none.
    """
    write_text(folder / f"{name}.md", text + "\n")
    write_table(folder / f"{name}.csv", numbers)
    write_pictures(folder, pictures)
    print(text)
    if page is not None:
        write_text(folder / "report.html", page)
        say(f"written to {folder}; open {folder / 'report.html'} in a browser")
