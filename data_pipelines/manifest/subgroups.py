"""The groups into which columns of a manifest divide rows that were scored: camera, sex, age, ..."""

import csv
import math
import pathlib
from collections.abc import Sequence

from data_pipelines.manifest.table import SUBGROUPS

MOST_GROUPS = 12  # of a column: one that has more divides nothing
AGE_BANDS = ((0, "0 to 39"), (40, "40 to 59"), (60, "60 to 79"), (80, "80 and more"))  # years, from
NOT_GIVEN = "not given"


def subgroups(manifest: str | pathlib.Path, ids: Sequence[str]) -> dict[str, list[int]]:
    """The groups of some rows, by each column of SUBGROUPS that divides them.

    Args:
      manifest: path of a manifest; where it is no longer there, nothing is divided.
      ids: of rows, which the manifest need not have.

    Returns:
      "column: value" -> positions in `ids`, ascending; values in the order of their names. Years of
      age are taken in bands, an empty cell is "not given".
    """
    values = _columns(pathlib.Path(manifest))
    groups: dict[str, list[int]] = {}
    for column in SUBGROUPS:
        by_value: dict[str, list[int]] = {}
        for position, name in enumerate(ids):
            value = _group(column, values.get(name, {}).get(column))
            by_value.setdefault(value, []).append(position)
        if 1 < len(by_value) <= MOST_GROUPS:
            groups |= {f"{column}: {value}": by_value[value] for value in sorted(by_value)}
    return groups


def _group(column: str, cell: str | None) -> str:
    """The group that a cell stands for: the value itself, of an age its band."""
    if column != "age" or not cell:
        return cell or NOT_GIVEN
    try:
        years = float(cell)
    except ValueError:
        return cell  # "60-69", "90+": bands of the data set's own
    if not math.isfinite(years) or years < 0:
        return NOT_GIVEN
    return [name for low, name in AGE_BANDS if years >= low][-1]


def _columns(manifest: pathlib.Path) -> dict[str, dict[str, str]]:
    """id -> cells of a manifest; {} where it is no longer there."""
    if not manifest.exists():
        return {}
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = csv.reader(file, skipinitialspace=True)
    names = [name.strip() for name in header]
    rows = (dict(zip(names, map(str.strip, cells), strict=False)) for cells in lines)
    return {row["id"]: row for row in rows if row.get("id")}
