"""Several sets in one manifest: ids prefixed with their source, one data_root above all."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

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
    """

    items: Sequence[Eye | ScreeningVolume]
    data_root: Path | None
    sets: list[dict]
    notes: list[str]


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
    return Earlier(items, manifest.data_root, sets, notes)


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
