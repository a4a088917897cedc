"""The model card: what a run was trained on, what it is for, and how it does by subgroup."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from imo_jax.report.page import Section, Table

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


def trained_on(
    manifest: str,
    numbers: Mapping[str, int],
    patients: int,
    noun: str,
    *,
    learned_from: str | None = None,
    phantom: bool = False,
) -> str:
    """A sentence or two on the data.

    Args:
      manifest: path of the manifest.
      numbers: of its rows in the splits "train", "val" and "test".
      patients: of the training split.
      noun: what a row is, in the plural: "eyes".
      learned_from: the manifest of the training, where that is another.
      phantom: whether a program drew them.
    """
    if learned_from not in (None, manifest):
        said = (
            f"Data: trained on the train {noun} of {learned_from}, scored on {numbers['test']} test "
            f"{noun} of another manifest, {manifest}: nothing here says that no patient is in both."
        )
        return f"{said} {PHANTOM}" if phantom else said
    validation = numbers["val"]
    chosen = f"checkpoint chosen on {validation} validation {noun}"
    if not validation:
        chosen = f"no validation {noun} and no choice of a checkpoint"
    said = (
        f"Data: trained on the {numbers['train']} train {noun} of {patients} patients of {manifest}, "
        f"{chosen}, scored on {numbers['test']} test {noun}. No patient is in two splits."
    )
    return f"{said} {PHANTOM}" if phantom else said


def use_section(phantom: bool) -> Section:
    """What results are for, and their limits: of a comparison, which has no card."""
    return Section("use", "Use and limits", [*([PHANTOM] if phantom else []), USE, LIMITS])


def card_section(
    data: str,
    groups: Mapping[str, Sequence[Record]],
    scores: Callable[[Sequence[Record]], dict[str, str]],
    *,
    patient_of: Callable[[Record], str],
    columns: Sequence[str],
    limits: str,
) -> Section:
    """The section of the model card.

    Args:
      data: what it was trained on, from `trained_on`.
      groups: name -> the records of evaluated rows that are in it.
      scores: records -> name of a score -> its text.
      patient_of: record -> its patient.
      columns: of a manifest that would divide the rows into groups.
      limits: of this kind of network, beside those of all.
    """
    rows: list[Sequence[str]] = []
    head = ["group", "number", "patients"]
    for name, members in groups.items():
        said = scores(members)
        head = ["group", "number", "patients", *said]
        patients = len({patient_of(record) for record in members})
        rows.append((name, str(len(members)), str(patients), *said.values()))
    text = [data, USE, f"{LIMITS} {limits}"]
    if rows:
        text.append(
            "Subgroups, with 95 % intervals by patient: where they overlap widely, nothing is said "
            "of a difference; a group of few patients says little."
        )
    else:
        text.append(
            f"Subgroups: no column {', '.join(columns)} of the manifest divides the test split; one "
            "that does is scored here by its groups."
        )
    return Section("card", "Model card", text, Table(head, rows) if rows else None)
