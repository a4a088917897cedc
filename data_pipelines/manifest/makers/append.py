"""Several sets in one manifest: ids prefixed with their source, one data_root above all."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.manifest.grades import PAPER_GRADES
from data_pipelines.manifest.makers.layouts import LAYOUTS, Layout
from data_pipelines.manifest.multimodal import Eye, read_manifest
from data_pipelines.manifest.roots import sidecar_of
from data_pipelines.manifest.screening import ScreeningVolume, read_screening_manifest


@dataclasses.dataclass(frozen=True)
class Earlier:
    """A manifest that a set is added to.

    Attributes:
      items: its eyes or volumes, each with a source.
      data_root: where its files lie that are not beside it.
      sets: the records of the sets that it holds.
      notes: what the joining of the sets means.
      grade_names: of its eyes' grades.
    """

    items: Sequence[Eye | ScreeningVolume]
    data_root: Path | None
    sets: list[dict]
    notes: list[str]
    grade_names: tuple[str, ...] = PAPER_GRADES


def check_append(out: Path, name: str, layout: Layout) -> Earlier:
    """The manifest in `out`, ready for one more set.

    Raises:
      ManifestError: it has problems.
      ValueError: there is none, or one of the other kind.
    """
    path = out / "manifest.csv"
    if not path.is_file():
        raise ValueError(f"--append: there is no {path} to add to; make it without --append first")
    read = read_screening_manifest if layout.screening else read_manifest
    manifest = read(path)
    items = manifest.volumes if layout.screening else manifest.eyes
    sidecar = sidecar_of(path)
    record = json.loads(sidecar.read_text("utf-8")) if sidecar.is_file() else {}
    record.pop("data_root", None)
    sets = record.get("sets", [record])
    first = record.get("layout", "first")
    items = [i if i.source else dataclasses.replace(i, source=first) for i in items]
    earlier = [s.get("layout", "") for s in sets]
    notes = [
        f"{name} and {other} share photographs or people: what is measured on one after training on "
        "the other is partly memory. Make a manifest without one of them."
        for other in earlier
        if other in layout.repeats or name in getattr(LAYOUTS.get(other), "repeats", ())
    ]
    names = PAPER_GRADES if layout.screening else manifest.grade_names
    return Earlier(items, manifest.data_root, sets, notes, names)


def with_joint_grades(
    earlier: Earlier, names: tuple[str, ...], eyes: Sequence[Eye]
) -> tuple[Earlier, Sequence[Eye], tuple[str, ...]]:
    """Earlier eyes and those of a set in common grades, and the names of these.

    A set of two grades joins one of more by the column `glaucoma`; one without labels joins any.

    Raises:
      ValueError: each has grades of its own.
    """
    before = earlier.grade_names
    if names == before or _without_labels(eyes):
        return earlier, eyes, before
    if _without_labels(earlier.items):
        return earlier, eyes, names
    if len(names) == 2:
        return earlier, eyes if len(before) == 2 else _as_glaucoma(eyes), before
    if len(before) == 2:
        return dataclasses.replace(earlier, items=_as_glaucoma(earlier.items)), eyes, names
    raise ValueError(
        f"the manifest's grades are {', '.join(before)}, those of this set {', '.join(names)}, and a "
        "manifest has one list of grades: make another with --out"
    )


def _as_glaucoma(eyes: Sequence[Eye]) -> list[Eye]:
    """Eyes of two grades with their label in the column that has no grades."""
    return [
        eye if eye.grade is None else dataclasses.replace(eye, glaucoma=eye.grade, grade=None)
        for eye in eyes
    ]


def _without_labels(eyes: Sequence[Eye]) -> bool:
    return all(eye.grade is None and eye.glaucoma is None for eye in eyes)


def prefixed(items: Sequence, source: str, earlier: Earlier) -> list:
    """Items with ids and patients of their own set.

    Raises ValueError where the source is in the manifest already.
    """
    if any(item.source == source for item in earlier.items):
        raise ValueError(
            f"the manifest holds {source!r} already; give this set another name with --source"
        )
    return [
        dataclasses.replace(i, id=f"{source}-{i.id}", patient=f"{source}-{i.patient}")
        for i in items
    ]


def joint_root(earlier: Earlier, root: Path) -> Path:
    """The folder above the data of all sets."""
    roots = [path for path in (earlier.data_root, root) if path is not None]
    return Path(os.path.commonpath([os.path.abspath(path) for path in roots]))
