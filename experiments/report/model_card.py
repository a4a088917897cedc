"""The model card: what a run was trained on, what it is for, and how it does by subgroup."""

import csv
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from experiments.report.page import Section, Table

# Columns of a manifest that divide its rows into groups worth a look, where they are there.
SUBGROUPS = ("source", "camera", "eye", "sex", "race", "ethnicity", "age_group")
MOST_GROUPS = 12

USE = (
    "Intended use: research on methods of glaucoma diagnosis, by people who can read the scores "
    "above. It is not a medical device; nothing it says of a person's eye may be used to treat "
    "that person."
)
LIMITS = (
    "Limits: the scores hold for eyes, cameras and readers like those of the test split. Grades "
    "and shapes of photographs that are dark, blurred or without a disc mean nothing. Intervals "
    "are by patient and say nothing of another population. The spread over samples shows how much "
    "the network's own noise matters, not how wrong it may be."
)


def card_section(
    trained_on: str,
    manifest: str,
    records: Sequence[dict[str, Any]],
    scores: Callable[[Sequence[dict[str, Any]]], dict[str, str]],
) -> Section:
    """The section of the model card.

    Args:
      trained_on: a sentence on the data.
      manifest: path of the manifest, whose columns may divide the eyes.
      records: of the evaluated rows, each with `id` and `patient`.
      scores: records -> name of a score -> its text.
    """
    rows, columns = [], ["group", "number", "patients"]
    for name, members in subgroups(manifest, records).items():
        said = scores(members)
        columns = ["group", "number", "patients", *said]
        patients = len({r["patient"] for r in members})
        rows.append((name, str(len(members)), str(patients), *said.values()))
    text = [trained_on, USE, LIMITS]
    if not rows:
        text.append(
            "Subgroups: the manifest has none of the columns "
            f"{', '.join(SUBGROUPS)}; with one of them its groups are scored here."
        )
    return Section("card", "Model card", text, Table(columns, rows) if rows else None)


def subgroups(manifest: str, records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """`column: value` -> the records of that group, for each column that divides them."""
    values = _columns(pathlib.Path(manifest))
    groups: dict[str, list[dict[str, Any]]] = {}
    for column in SUBGROUPS:
        by_value: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            value = values.get(record["id"], {}).get(column) or "not given"
            by_value.setdefault(value, []).append(record)
        if 1 < len(by_value) <= MOST_GROUPS:
            groups |= {f"{column}: {value}": by_value[value] for value in sorted(by_value)}
    return groups


def _columns(manifest: pathlib.Path) -> dict[str, dict[str, str]]:
    """id -> cells of a manifest; {} where it is no longer there."""
    if not manifest.exists():
        return {}
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file) if row.get("id")}
