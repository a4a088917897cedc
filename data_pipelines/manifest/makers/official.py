"""Splits that a set publishes, where they put a person into two of them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from data_pipelines.manifest.multimodal import Eye


def keep_official_splits(eyes: Sequence[Eye], notes: list[str], by_patient: bool) -> list[Eye]:
    """Eyes with the official splits, or with none where patients are to stay together.

    A person in two official splits would be refused as a leak; to keep the splits comparable with
    what is published, such eyes are taken for people of their own, which `notes` says.

    Args:
      eyes: with official splits and the patients that are known.
      notes: is appended to.
      by_patient: splits are to be drawn by patient instead.
    """
    if by_patient:
        notes.append("Splits are drawn by patient; the official ones are not kept.")
        return [dataclasses.replace(eye, split="") for eye in eyes]
    of_patient = defaultdict(set)
    for eye in eyes:
        of_patient[eye.patient].add(eye.split)
    torn = {patient for patient, splits in of_patient.items() if len(splits) > 1}
    if torn:
        notes.append(
            f"{len(torn)} people have eyes in two of the official splits: each eye of theirs is taken "
            "for a person. What is measured is partly memory; --by_patient draws splits that are not."
        )
    return [dataclasses.replace(e, patient=e.id) if e.patient in torn else e for e in eyes]
