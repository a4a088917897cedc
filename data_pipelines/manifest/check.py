"""Check a whole input before a run: every row, every file, and what the run needs of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data_pipelines.manifest.fields import GRADES
from data_pipelines.manifest.files import check_eye_files, check_volume_file, fingerprint
from data_pipelines.manifest.multimodal import Manifest, parse_manifest
from data_pipelines.manifest.problems import Problem, in_order
from data_pipelines.manifest.rows import ParsedRow, different_splits, grouped
from data_pipelines.manifest.screening import (
    ScreeningManifest,
    ScreeningVolume,
    parse_screening_manifest,
)

# The splits that a run reads labels from.
NEEDS = {"train": ("train", "val"), "eval": ("test",), "predict": ()}
LABELS = ("mask", "grade")

# Decoding releases the interpreter lock; more threads than this only hold more memory.
_THREADS = min(8, (os.cpu_count() or 1) + 1)


def check_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    *,
    need: Collection[str] = (),
    labels: Collection[str] = LABELS,
    deep: bool = True,
) -> list[Problem]:
    """Lists everything that is wrong with a multimodal manifest and its files.

    Args:
      path, data_root: as read_manifest.
      need: what is going to be done, of NEEDS: "train" needs labelled train and val splits,
        "eval" a labelled test split, "predict" photographs only.
      labels: the labels that the run uses, of LABELS.
      deep: also open every file; False looks at the table only.

    Returns:
      Problems in the order of the rows; errors and warnings.
    """
    _check_names(need, NEEDS)
    _check_names(labels, LABELS)
    manifest, problems = parse_manifest(path, data_root)
    if not problems or manifest.eyes:
        problems += _check_needs(manifest, need, labels)
    if deep:
        problems += _in_threads(
            lambda eye, line: check_eye_files(line, eye.fundus, eye.oct, eye.mask),
            manifest.eyes,
            manifest.lines,
        )
        problems += _check_copies(manifest.eyes, manifest.lines, "fundus")
    return in_order(problems)


def check_screening_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    *,
    need: Collection[str] = (),
    deep: bool = True,
) -> list[Problem]:
    """Lists everything that is wrong with a screening manifest; see check_manifest.

    With need "train", both classes must be there, and a class that has volumes without a
    complete visual field must have a volume with one, to take it from.
    """
    _check_names(need, NEEDS)
    manifest, problems = parse_screening_manifest(path, data_root)
    if not problems or manifest.volumes:
        problems += _check_split_sizes(manifest, need)
        if "train" in need:
            problems += _check_donors(manifest)
    if deep:
        problems += _in_threads(
            lambda volume, line: check_volume_file(line, volume.oct),
            manifest.volumes,
            manifest.lines,
        )
        files = [volume for volume in manifest.volumes if volume.oct.is_file()]
        lines = [n for n, v in zip(manifest.lines, manifest.volumes, strict=True) if v in files]
        problems += _check_copies(files, lines, "oct")
    return in_order(problems)


def _check_names(given: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if isinstance(given, str) or unknown:
        raise ValueError(f"give a list of {', '.join(known)}, not {given!r}")


def _in_threads(check: Callable, items: Sequence, lines: Sequence[int]) -> list[Problem]:
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(check, items, lines))
    return [problem for problems in found for problem in problems]


def _check_copies(items: Sequence, lines: Sequence[int], name: str) -> list[Problem]:
    """The same picture under two names: byte-identical files."""
    files = [Path(getattr(item, name)) for item in items]
    with ThreadPoolExecutor(_THREADS) as pool:
        prints = list(pool.map(fingerprint, files))
    rows = [
        ParsedRow(line, {"split": item.split, "file": file, "print": digest})
        for line, item, file, digest in zip(lines, items, files, prints, strict=True)
        if digest is not None
    ]
    problems = []
    for copies in grouped(rows, lambda row: row.get("print")):
        first = copies[0]
        for row in copies[1:]:
            if os.path.realpath(row.get("file")) == os.path.realpath(first.get("file")):
                continue  # Already found in the table.
            reason = f"is a copy of {first.get('file')} (line {first.line})"
            across = different_splits(first, row)
            if across:
                reason += f", which is in {first.get('split')}: the splits share an eye"
            severity = "error" if across else "warning"
            problems.append(Problem(row.line, str(row.get("file")), reason, severity))
    return problems


def _check_split_sizes(
    manifest: Manifest | ScreeningManifest, need: Collection[str]
) -> list[Problem]:
    """The splits that the run needs must have rows."""
    problems = []
    items = getattr(manifest, "eyes", None) or getattr(manifest, "volumes", ())
    counts = Counter(item.split for item in items)
    for task in need:
        for split in NEEDS[task]:
            if counts[split]:
                continue
            reason = f"no row has the split {split!r}, which '{task}' needs"
            if counts[""] == len(items):
                reason += "; all splits are empty: make the manifest with --val_fraction and "
                reason += "--test_fraction, or fill in the column"
            problems.append(Problem(None, str(manifest.path), reason))
    if "predict" in need and not items:
        problems.append(Problem(None, str(manifest.path), "has no usable row to predict"))
    return problems


def _check_needs(
    manifest: Manifest, need: Collection[str], labels: Collection[str]
) -> list[Problem]:
    problems = _check_split_sizes(manifest, need)
    path = str(manifest.path)
    for task in need:
        for split in NEEDS[task]:
            eyes = manifest.split(split)
            if not eyes:
                continue
            missing = [n for n in labels if all(getattr(eye, n) is None for eye in eyes)]
            if len(missing) == len(labels):
                reason = f"no eye in {split} has a {' or a '.join(missing)}: '{task}' needs labels"
                problems.append(Problem(None, path, reason))
            else:
                problems += [
                    Problem(None, path, f"no eye in {split} has a {name}", "warning")
                    for name in missing
                ]
    graded = {eye.grade for eye in manifest.split("train")} - {None}
    if "train" in need and "grade" in labels and graded:
        absent = sorted(set(GRADES.values()) - graded)
        if absent:
            listed = ", ".join(str(grade) for grade in absent)
            reason = f"no eye in train has the grade {listed}: it cannot be learned"
            problems.append(Problem(None, path, reason, "warning"))
    return problems


def _check_donors(manifest: ScreeningManifest) -> list[Problem]:
    problems = []
    train = manifest.split("train")
    names = {0: "normal", 1: "glaucoma"}
    for glaucoma, name in names.items():
        members: list[ScreeningVolume] = [v for v in train if v.glaucoma == glaucoma]
        if train and not members:
            reason = f"no volume in train is {name} (glaucoma {glaucoma})"
            problems.append(Problem(None, str(manifest.path), reason))
        donors = sum(volume.is_donor for volume in members)
        if members and not donors:
            reason = (
                f"no {name} volume in train has all of vfi, md and psd, so that none can lend "
                "its visual field to the others"
            )
            problems.append(Problem(None, str(manifest.path), reason))
    return problems
