"""Validation scores of a run by step, as a table beside its checkpoints."""

import pathlib
from collections.abc import Iterable, Mapping

import pandas as pd

from imo_jax.atomic_files import write_table


def append(path: pathlib.Path, step: int, values: Mapping[str, float]) -> None:
    """Adds a row `step, ...`; rows of this step or later, left by an interrupted run, go.

    The file is replaced as a whole, so a reader never sees half a row.
    """
    rows = read(path) if path.exists() else pd.DataFrame()
    if len(rows):
        rows = rows[rows["step"] < step]
    rows = pd.concat([rows, pd.DataFrame([{"step": step, **values}])], ignore_index=True)
    write_table(path, rows)


def read(path: pathlib.Path) -> pd.DataFrame:
    """One row a validation, ascending `step`."""
    return pd.read_csv(path)


def best(path: pathlib.Path, metric: str, mode: str) -> float:
    """The "max" or "min" of a metric over all validations; NaN where it was never defined."""
    return float(read(path)[metric].agg(mode))


def curves(
    wanted: Iterable[tuple[str, pathlib.Path, str]],
) -> list[tuple[str, pd.Series, pd.Series]]:
    """Name, steps and scores of each curve that is defined anywhere.

    Args:
      wanted: name, file of a run's validations, column of it.
    """
    wanted = list(wanted)
    tables = {file: read(file) for _, file, _ in wanted if file.exists()}
    return [
        (name, tables[file]["step"], tables[file][column])
        for name, file, column in wanted
        if file in tables and column in tables[file] and tables[file][column].notna().any()
    ]


def curves_of(
    file: pathlib.Path, names: Mapping[str, str]
) -> list[tuple[str, pd.Series, pd.Series]]:
    """The curves of one run's validations: column -> name of the curve; see `curves`."""
    return curves((name, file, column) for column, name in names.items())
