"""From what a maker found to manifests on disk: id masks, splits, sidecars."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines import images
from data_pipelines.bad_file import BadFile
from data_pipelines.manifest.makers.append import (
    Earlier,
    joint_root,
    prefixed,
    with_joint_grades,
)
from data_pipelines.manifest.makers.found import Found, FoundVolumes
from data_pipelines.manifest.makers.masks import Composed, notes_about
from data_pipelines.manifest.makers.plan import SplitPlan, draw_splits
from data_pipelines.manifest.mask_codes import MASK_CODES, read_in_codes
from data_pipelines.manifest.multimodal import Eye, write_manifest
from data_pipelines.manifest.problems import ManifestError, Problem, errors
from data_pipelines.manifest.screening import write_screening_manifest

_THREADS = min(8, (os.cpu_count() or 1) + 1)


def make_manifests(
    layout: str,
    found: Found,
    root: Path,
    out: Path,
    plan: SplitPlan,
    source: str | None = None,
    append: Earlier | None = None,
) -> list[Path]:
    """Writes id masks and manifests to out; all of them or, where something is wrong, none.

    Args:
      layout: its name, for the sidecar.
      found: what the layout's maker found.
      root: the layout's folder; recorded as data_root, never written to.
      out: gets manifest.csv (or manifest_fold0.csv, ...), a sidecar each, and, where the masks
        are not ids already, id_masks/.
      plan: of the splits.
      source: what the column `source` says; the layout's name by default.
      append: the manifest in out, which these eyes are added to.

    Returns:
      The manifests' paths.

    Raises:
      ManifestError: with all problems of the layout, of its masks and of the plan.
    """
    problems = list(found.problems)
    found, names = _named(found, source or layout, append), found.names()
    if append is not None:
        append, found.eyes, names = with_joint_grades(append, names, found.eyes)
    out.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".id_masks.", dir=out))
    try:
        eyes, notes = _convert_masks(found, temporary, out / "id_masks", problems)
        try:
            drawn = _draw_eyes(eyes, plan)
        except ValueError as error:
            problems.append(Problem(None, None, str(error)))
        if errors(problems):
            raise ManifestError(problems)
        for file in sorted(temporary.iterdir()):
            (out / "id_masks").mkdir(exist_ok=True)
            os.replace(file, out / "id_masks" / file.name)
    finally:
        shutil.rmtree(temporary)
    found.notes += notes
    write = functools.partial(write_manifest, grade_names=names)
    return _write_folds(layout, eyes, drawn, write, found.notes, root, out, plan, append)


def make_screening_manifests(
    layout: str,
    found: FoundVolumes,
    root: Path,
    out: Path,
    plan: SplitPlan,
    source: str | None = None,
    append: Earlier | None = None,
) -> list[Path]:
    """Writes screening manifests to out; arguments, result and errors as make_manifests."""
    problems = list(found.problems)
    found = _named(found, source or layout, append)
    patients = [volume.patient for volume in found.volumes]
    strata = [volume.glaucoma for volume in found.volumes]
    given = [volume.split for volume in found.volumes]
    try:
        drawn = draw_splits(patients, strata, given, plan)
    except ValueError as error:
        problems.append(Problem(None, None, str(error)))
    if errors(problems):
        raise ManifestError(problems)
    out.mkdir(parents=True, exist_ok=True)
    write = write_screening_manifest
    return _write_folds(layout, found.volumes, drawn, write, found.notes, root, out, plan, append)


def _named(found: Found | FoundVolumes, source: str, append: Earlier | None):
    """The same with the source of every item, and names that no other set has."""
    field = "eyes" if isinstance(found, Found) else "volumes"
    items = [dataclasses.replace(item, source=source) for item in getattr(found, field)]
    changed: dict = {}
    if append is not None:
        items = prefixed(items, source, append)
        found.notes += append.notes
        if field == "eyes":
            changed["masks"] = {f"{source}-{name}": mask for name, mask in found.masks.items()}
    return dataclasses.replace(found, **{field: items}, **changed)


def _write_folds(
    layout: str,
    items: Sequence,
    drawn: Sequence[Sequence[str]],
    write: Callable,
    notes: list[str],
    root: Path,
    out: Path,
    plan: SplitPlan,
    append: Earlier | None,
) -> list[Path]:
    """Writes one manifest of eyes or volumes for each drawn list of splits."""
    paths = []
    for fold, names in enumerate(drawn):
        record = {"layout": layout, **dataclasses.asdict(plan), "notes": notes}
        path = out / "manifest.csv"
        if plan.folds:
            record |= {"fold": fold}
            path = out / f"manifest_fold{fold}.csv"
        placed = [dataclasses.replace(i, split=s) for i, s in zip(items, names, strict=True)]
        if append is not None:
            placed = [*append.items, *placed]
            record, root = {"sets": [*append.sets, record]}, joint_root(append, root)
        write(path, placed, data_root=root, record=record)
        paths.append(path)
    return paths


def _convert_masks(
    found: Found, temporary: Path, final: Path, problems: list[Problem]
) -> tuple[list[Eye], list[str]]:
    """The eyes with masks of ids, as stored if they are, else written to `temporary`; and notes."""
    are_ids = found.codes == MASK_CODES["ids"]

    def convert(eye: Eye) -> tuple[Eye, list[Problem], Composed | None]:
        if eye.id in found.masks:
            return compose(eye)
        if eye.mask is None:
            return eye, [], None
        try:
            ids = read_in_codes(eye.mask, found.codes)
            _check_size(ids, eye)
        except BadFile as error:
            return eye, [Problem(None, error.path, error.reason)], None
        return (eye if are_ids else written(eye, ids)), [], None

    def compose(eye: Eye) -> tuple[Eye, list[Problem], Composed | None]:
        try:
            composed = found.masks[eye.id].compose(*images.image_size(eye.fundus))
        except BadFile as error:
            return eye, [Problem(None, error.path, error.reason)], None
        eye = written(eye, composed.ids)
        has_ignored = bool((composed.ids == images.IGNORE).any())
        return eye, [], dataclasses.replace(composed, ids=None, has_ignored=has_ignored)

    def written(eye: Eye, ids: np.ndarray) -> Eye:
        Image.fromarray(ids).save(temporary / f"{eye.id}.png")
        return dataclasses.replace(eye, mask=final / f"{eye.id}.png")

    with ThreadPoolExecutor(_THREADS) as pool:
        converted = list(pool.map(convert, found.eyes))
    problems += [problem for _, several, _ in converted for problem in several]
    composed = [composed for _, _, composed in converted if composed is not None]
    return [eye for eye, _, _ in converted], notes_about(composed)


def _check_size(ids: np.ndarray, eye: Eye) -> None:
    height, width = images.image_size(eye.fundus)
    if ids.shape != (height, width):
        raise BadFile(
            eye.mask,
            f"has {ids.shape[1]} x {ids.shape[0]} pixels (width x height), "
            f"the photograph {eye.fundus} {width} x {height}",
        )


def _draw_eyes(eyes: Sequence[Eye], plan: SplitPlan) -> list[list[str]]:
    """The splits of all eyes: one list, or one for each fold.

    Eyes with neither mask nor grade nor glaucoma stay in no split: nothing can be learned from them or
    measured on them.
    """
    labelled = [
        i for i, e in enumerate(eyes) if (e.mask, e.grade, e.glaucoma) != (None, None, None)
    ]
    if not labelled:
        if plan.folds:
            raise ValueError("folds need eyes with a mask or a grade; there is none")
        return [[""] * len(eyes)]
    chosen = [eyes[i] for i in labelled]
    drawn = []
    for names in draw_splits(
        [eye.patient for eye in chosen],
        [e.grade if e.glaucoma is None else (e.grade, e.glaucoma) for e in chosen],
        [eye.split for eye in chosen],
        plan,
    ):
        all_names = [""] * len(eyes)
        for i, name in zip(labelled, names, strict=True):
            all_names[i] = name
        drawn.append(all_names)
    return drawn
