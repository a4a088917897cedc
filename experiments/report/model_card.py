"""The model card: what a run was trained on, what it is for, and how it does by subgroup."""

import csv
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from data_pipelines.manifest.table import SUBGROUPS
from data_pipelines.phantom.dataset import RECORD
from imo_jax.report.page import Section, Table

MOST_GROUPS = 12
AGE_BANDS = ((0, "0 to 39"), (40, "40 to 59"), (60, "60 to 79"), (80, "80 and more"))  # years, from
NOT_GIVEN = "not given"

USE = (
    "Intended use: research on methods of glaucoma diagnosis, by people who can read the scores "
    "above. It is not a medical device; nothing it says of a person's eye may be used to treat "
    "that person."
)
LIMITS = (
    "Limits: the scores hold for eyes, cameras and readers like those of the test split. Intervals "
    "are by patient and say nothing of another population."
)
PHANTOM = (
    "These are phantoms: a program drew them, no person was seen. The scores show that the program "
    "works, not how it would do on people."
)

Record = TypeVar("Record")


class Splits(Protocol):
    """What the card asks of a store: rows and patients of each split."""

    def num(self, split: str) -> int: ...
    def patients(self, split: str) -> list[str]: ...


def trained_on(manifest: str, store: Splits, noun: str, learned_from: str | None = None) -> str:
    """A sentence or two on the data.

    Args:
      manifest: path of the manifest.
      store: its rows.
      noun: what a row is, in the plural: "eyes".
      learned_from: the manifest of the training, where that is another.
    """
    if learned_from not in (None, manifest):
        said = (
            f"Data: trained on the train {noun} of {learned_from}, scored on {store.num('test')} test "
            f"{noun} of another manifest, {manifest}: nothing here says that no patient is in both."
        )
        return f"{said} {PHANTOM}" if is_phantom(manifest) else said
    train, patients = store.num("train"), len(set(store.patients("train")))
    validation = store.num("val")
    chosen = f"checkpoint chosen on {validation} validation {noun}"
    if not validation:
        chosen = f"no validation {noun} and no choice of a checkpoint"
    said = (
        f"Data: trained on the {train} train {noun} of {patients} patients of {manifest}, {chosen}, "
        f"scored on {store.num('test')} test {noun}. No patient is in two splits."
    )
    return f"{said} {PHANTOM}" if is_phantom(manifest) else said


def is_phantom(manifest: str) -> bool:
    """Whether `make_phantom` wrote the manifest."""
    return (pathlib.Path(manifest).parent / RECORD).exists()


def use_section(manifest: str) -> Section:
    """What results on a manifest are for, and their limits: of a comparison, which has no card."""
    return Section("use", "Use and limits", [*([PHANTOM] if is_phantom(manifest) else []), USE, LIMITS])


def card_section(
    data: str,
    manifest: str,
    records: Sequence[Record],
    scores: Callable[[Sequence[Record]], dict[str, str]],
    *,
    who: Callable[[Record], tuple[str, str]],
    limits: str,
) -> Section:
    """The section of the model card.

    Args:
      data: what it was trained on, from `trained_on`.
      manifest: path of the manifest, whose columns may divide the rows.
      records: of the evaluated rows.
      scores: records -> name of a score -> its text.
      who: record -> id of its row in the manifest, and its patient.
      limits: of this kind of network, beside those of all.
    """
    rows: list[Sequence[str]] = []
    columns = ["group", "number", "patients"]
    for name, members in subgroups(manifest, records, lambda record: who(record)[0]).items():
        said = scores(members)
        columns = ["group", "number", "patients", *said]
        patients = len({who(record)[1] for record in members})
        rows.append((name, str(len(members)), str(patients), *said.values()))
    text = [data, USE, f"{LIMITS} {limits}"]
    if rows:
        text.append(
            "Subgroups, with 95 % intervals by patient: where they overlap widely, nothing is said "
            "of a difference; a group of few patients says little."
        )
    else:
        text.append(
            "Subgroups: no column "
            f"{', '.join(SUBGROUPS)} of the manifest divides the test split; one that does is "
            "scored here by its groups."
        )
    return Section("card", "Model card", text, Table(columns, rows) if rows else None)


def subgroups(
    manifest: str, records: Sequence[Record], id_of: Callable[[Record], str]
) -> dict[str, list[Record]]:
    """`column: value` -> the records of that group, for each column that divides them."""
    values = _columns(pathlib.Path(manifest))
    groups: dict[str, list[Record]] = {}
    for column in SUBGROUPS:
        by_value: dict[str, list[Record]] = {}
        for record in records:
            value = _group(column, values.get(id_of(record), {}).get(column))
            by_value.setdefault(value, []).append(record)
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
