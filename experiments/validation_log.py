"""Validation scores of a run by step, as a table beside its checkpoints."""

import os
import pathlib
from collections.abc import Mapping

import pandas as pd


def append(path: pathlib.Path, step: int, values: Mapping[str, float]) -> None:
    """Adds a row `step, ...`; rows of this step or later, left by an interrupted run, go.

    The file is replaced as a whole, so a reader never sees half a row.
    """
    rows = read(path) if path.exists() else pd.DataFrame()
    if len(rows):
        rows = rows[rows["step"] < step]
    rows = pd.concat([rows, pd.DataFrame([{"step": step, **values}])], ignore_index=True)
    part = path.with_name(f".{path.name}")
    rows.to_csv(part, index=False)
    os.replace(part, path)


def read(path: pathlib.Path) -> pd.DataFrame:
    """One row a validation, ascending `step`."""
    return pd.read_csv(path)
