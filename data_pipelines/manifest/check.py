"""Check a whole input before a run: every row, every file, and what the run needs of them."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data_pipelines.circular import circular
from data_pipelines.manifest.checked_files import CheckedFiles
from data_pipelines.manifest.files import (
    NUMBERS,
    check_eye_files,
    check_volume_file,
    fingerprint,
    glance,
)
from data_pipelines.manifest.mask_codes import codes_texts
from data_pipelines.manifest.multimodal import parse_manifest
from data_pipelines.manifest.problems import Problem, in_order
from data_pipelines.manifest.rows import ParsedRow, different_splits, grouped
from data_pipelines.manifest.screening import POSSIBLE, parse_screening_manifest
from data_pipelines.progress import progress_line
from data_pipelines.reading_gate import Gate, machine_budget
from data_pipelines.volume_form import AS_STORED, VolumeForm
from data_pipelines.volume_numbers import AS_SAID, GUESSED

# The splits that a run reads labels from.
NEEDS = {"train": ("train", "val"), "eval": ("test",), "predict": ()}
LABELS = ("mask", "grade")

# A run without this split trains to its last step: no checkpoint is chosen.
SELECTION = "val"

# Decoding releases the interpreter lock; more threads than this only hold more memory.
_THREADS = min(8, (os.cpu_count() or 1) + 1)


def check_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    *,
    need: Collection[str] = (),
    labels: Collection[str] = LABELS,
    deep: bool = True,
    memory: Path | None = None,
    oct_form: VolumeForm = AS_STORED,
    say: Callable[[str], None] = lambda words: None,
    sees_oct: bool = False,
) -> list[Problem]:
    """Lists everything that is wrong with a multimodal manifest and its files.

    Args:
      path, data_root, oct_form: as read_manifest.
      need: what is going to be done, of NEEDS: "train" needs a labelled train split and a labelled
        val split or none at all, "eval" a labelled test split, "predict" photographs only.
      labels: the labels that the run uses, of LABELS.
      deep: also open every file; False looks at the table only.
      memory: file in which is kept what was found in files, so that one that has not changed is
        not opened again; None = every file is opened.
      say: is told what the numbers of the set's volumes are taken for, where all are alike.
      sees_oct: the network takes OCT volumes: that no eye of a split has one is a warning.

    Returns:
      Problems in the order of the rows; errors and warnings.
    """
    _check_names(need, NEEDS)
    _check_names(labels, LABELS)
    manifest, rows, problems = parse_manifest(path, data_root, oct_form)
    if rows:
        problems += _check_split_sizes(rows, need, may_lack=(SELECTION,))
        problems += _check_labels(rows, need, labels, manifest.grade_names)
        problems += _check_volumes(rows, need) if sees_oct else []
    if deep:
        problems += _check_files(rows, ("fundus", "oct", "mask"), _check_eye, memory, say)
    return in_order(problems)


def check_screening_manifest(
    path: os.PathLike | str,
    data_root: os.PathLike | str | None = None,
    *,
    need: Collection[str] = (),
    surrogates: bool = True,
    deep: bool = True,
    memory: Path | None = None,
    oct_form: VolumeForm = AS_STORED,
    say: Callable[[str], None] = lambda words: None,
) -> list[Problem]:
    """Lists everything that is wrong with a screening manifest; see check_manifest.

    Args:
      path, data_root, need, deep, memory, oct_form, say: as check_manifest. With need "train", both
        classes must be in the train split.
      surrogates: whether volumes without a complete visual field are going to borrow one: then,
        with need "train", every index that some volume has must have a donor in both classes.
    """
    _check_names(need, NEEDS)
    _, rows, problems = parse_screening_manifest(path, data_root, oct_form)
    if rows:
        problems += _check_split_sizes(rows, need, may_lack=(SELECTION,))
        if "train" in need:
            problems += _check_classes(rows) + (_check_donors(rows) if surrogates else [])
            problems += _check_circular(rows)
    if deep:
        with_file = [row for row in rows if row.get("oct") is not None]
        problems += _check_files(with_file, ("oct",), _check_volume, memory, say)
    return in_order(problems)


def doubts_by_id(
    path: os.PathLike | str, data_root: os.PathLike | str | None, problems: Sequence[Problem]
) -> dict[str, tuple[str, ...]]:
    """Id -> what a check of a multimodal manifest doubted of its row, in the words that it said."""
    warnings = [p for p in problems if p.severity == "warning" and p.row is not None]
    if not warnings:  # of most sets: then the table is not read once more
        return {}
    ids = {row.line: row.get("id") for row in parse_manifest(path, data_root)[1]}
    found: dict[str, list[str]] = {}
    for problem in warnings:
        if ids.get(problem.row):
            where = "" if problem.file is None else f"{Path(problem.file).name} "
            found.setdefault(ids[problem.row], []).append(f"{where}{problem.reason}")
    return {eye_id: tuple(reasons) for eye_id, reasons in found.items()}


def _check_names(given: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if isinstance(given, str) or unknown:
        raise ValueError(f"give a list of {', '.join(known)}, not {given!r}")


def _check_eye(row: ParsedRow) -> list[Problem]:
    files = (row.get(name) for name in ("fundus", "oct", "mask"))
    return check_eye_files(row.line, *files, _oct_form(row), row.get("mask_codes"))


def _check_volume(row: ParsedRow) -> list[Problem]:
    return check_volume_file(row.line, row.get("oct"), _oct_form(row))


def _oct_form(row: ParsedRow) -> VolumeForm:
    return VolumeForm(row.get("oct_axes"), row.get("oct_range"))


def _check_files(
    rows: Sequence[ParsedRow],
    names: Sequence[str],
    check: Callable[[ParsedRow], list[Problem]],
    memory: Path | None,
    say: Callable[[str], None],
) -> list[Problem]:
    """What `check` finds in the files of each row, and copies among them."""
    gate = Gate(machine_budget())

    def question(row: ParsedRow) -> tuple[str, list[Path | None], Callable[[], list[dict]]]:
        files = [row.get(name) for name in names]
        said = [*_oct_form(row).texts(), *codes_texts(row.get("mask_codes"))]

        def find() -> list[dict]:
            with gate.reading([file for file in files if file is not None]):
                return [vars(problem) for problem in check(row)]

        return " ".join([check.__name__, *said]), files, find

    problems = []
    with CheckedFiles(memory) as remembered, ThreadPoolExecutor(_THREADS) as pool:
        results = remembered.all_of([question(row) for row in rows], pool)
        shown = progress_line(results, len(rows), "rows", verb="checked", always=False)
        for row, known in zip(rows, shown, strict=True):
            # Findings are kept without their line: rows move, files stay.
            problems += [Problem(**{**problem, "row": row.line}) for problem in known]
        for name in names:
            if name != "mask":
                problems += _check_copies(rows, name, remembered, pool)
    numbers = [problem for problem in problems if problem.severity == NUMBERS]
    rest = [problem for problem in problems if problem.severity != NUMBERS]
    kinds = Counter(problem.reason for problem in numbers)
    told = [kind for kind in kinds if not kind.endswith(AS_SAID)]
    if len(told) > 1:
        return [*rest, _different_numbers(numbers, kinds)]
    if kinds:
        listed = "; ".join(f"{count} of {kind}" for kind, count in kinds.most_common())
        say(f"OCT volumes by their numbers: {listed}")
    return rest


def _different_numbers(numbers: Sequence[Problem], kinds: Counter) -> Problem:
    """That the volumes of a set are taken for different things: an error where some are guesses."""
    parts = []
    for kind, count in kinds.most_common():
        lines = [str(problem.row) for problem in numbers if problem.reason == kind]
        where = f" (lines {', '.join(lines)})" if count <= 8 else ""
        parts.append(f"{count} of {kind}{where}")
    guessed = set(kinds) & set(GUESSED)
    end = (
        "some of them are guesses, so black and white of the set cannot be known"
        if guessed
        else "a network would learn the difference"
    )
    reason = (
        f"the OCT volumes hold numbers of different kinds, {'; '.join(parts)}: {end}; "
        "store all alike, or say what black and white are in a column oct_range"
    )
    return Problem(None, None, reason, "error" if guessed else "warning")


def _check_copies(
    rows: Sequence[ParsedRow], name: str, remembered: CheckedFiles, pool: ThreadPoolExecutor
) -> list[Problem]:
    """The same content under two names: byte-identical files."""
    rows = [row for row in rows if row.get(name) is not None and row.get(name).is_file()]
    prints: dict[int, str | None] = {}
    # Pieces of the files tell nearly all apart; only those that agree in them are read whole.
    for look in (glance, fingerprint):
        files = [row.get(name) for row in rows]
        asked = [(look.__name__, [file], functools.partial(look, file)) for file in files]
        prints = dict(zip(map(id, rows), remembered.all_of(asked, pool), strict=True))
        alike = [group for group in grouped(rows, lambda r: prints[id(r)]) if len(group) > 1]
        rows = [row for group in alike for row in group]
    problems = []
    for copies in grouped(rows, lambda row: prints[id(row)]):
        first = copies[0]
        for row in copies[1:]:
            here, there = row.get(name), first.get(name)
            if prints[id(row)] is None or os.path.realpath(here) == os.path.realpath(there):
                continue  # Unreadable, or the same file, which the table's check tells.
            reason = f"is a copy of {there} (line {first.line})"
            across = different_splits(first, row)
            if across:
                reason += f", which is in {first.get('split')}: the splits share an eye"
            severity = "error" if across else "warning"
            problems.append(Problem(row.line, str(here), reason, severity))
    return problems


def _check_split_sizes(
    rows: Sequence[ParsedRow], need: Collection[str], may_lack: Collection[str]
) -> list[Problem]:
    """The splits that the run needs must have rows; a warning where it can do without."""
    problems = []
    counts = Counter(row.get("split") for row in rows)
    for task in need:
        for split in NEEDS[task]:
            if counts[split]:
                continue
            if split in may_lack:
                reason = (
                    f"no row has the split {split!r}: no checkpoint can be chosen, the last counts"
                )
                problems.append(Problem(None, None, reason, "warning"))
                continue
            reason = f"no row has the split {split!r}, which '{task}' needs"
            if counts[""] == len(rows):
                reason += "; all splits are empty: make the manifest with --val_fraction and "
                reason += "--test_fraction, or fill in the column"
            problems.append(Problem(None, None, reason))
    return problems


def _check_labels(
    rows: Sequence[ParsedRow],
    need: Collection[str],
    labels: Collection[str],
    grade_names: Sequence[str],
) -> list[Problem]:
    """The splits that the run needs must have labels, and train all grades."""
    problems = []
    for task in need:
        for split in NEEDS[task]:
            eyes = [row for row in rows if row.get("split") == split]
            # A grade is learned and measured from the column `glaucoma`, too.
            columns = {name: (name, "glaucoma") if name == "grade" else (name,) for name in labels}
            missing = [
                name
                for name, given in columns.items()
                if not any(eye.is_given(column) for eye in eyes for column in given)
            ]
            if eyes and len(missing) == len(labels):
                reason = f"no eye in {split} has a {' or a '.join(labels)}; '{task}' needs labels"
                problems.append(Problem(None, None, reason))
            elif eyes:
                problems += [
                    Problem(None, None, f"no eye in {split} has a {name}", "warning")
                    for name in missing
                ]
    grades = {row.get("grade") for row in rows if row.get("split") == "train"} - {None}
    absent = [f"{k} ({name})" for k, name in enumerate(grade_names) if k not in grades]
    if "train" in need and "grade" in labels and grades and absent:
        reason = f"no eye in train has the grade {', '.join(absent)}: it cannot be learned"
        problems.append(Problem(None, None, reason, "warning"))
    return problems


def _check_volumes(rows: Sequence[ParsedRow], need: Collection[str]) -> list[Problem]:
    """A warning for each split without any OCT volume."""
    problems = []
    for split in (split for task in need for split in NEEDS[task]):
        eyes = [row for row in rows if row.get("split") == split]
        if eyes and not any(row.is_given("oct") for row in eyes):
            reason = (
                f"no eye in {split} has an OCT volume, which the network takes: it sees photographs "
                "alone; --nouse_oct makes one that wants none"
            )
            problems.append(Problem(None, None, reason, "warning"))
    return problems


_CLASSES = ((0, "normal"), (1, "glaucoma"))


def _check_classes(rows: Sequence[ParsedRow]) -> list[Problem]:
    """Both classes must be in train; nothing can be told apart otherwise."""
    train = [row for row in rows if row.get("split") == "train"]
    present = {row.get("glaucoma") for row in train}
    return [
        Problem(None, None, f"no volume in train is {name} (glaucoma {glaucoma})")
        for glaucoma, name in _CLASSES
        if train and glaucoma not in present
    ]


def _check_donors(rows: Sequence[ParsedRow]) -> list[Problem]:
    """Each index that is known in train needs, in each class that lacks it, a volume to lend it."""
    train = [row for row in rows if row.get("split") == "train"]
    known = [index for index in POSSIBLE if any(row.get(index) is not None for row in train)]
    if train and not known:
        reason = (
            f"no volume in train has any of {', '.join(POSSIBLE)}: none can lend a visual field"
        )
        return [Problem(None, None, reason)]
    problems = []
    for glaucoma, name in _CLASSES:
        members = [
            row for row in rows if (row.get("split"), row.get("glaucoma")) == ("train", glaucoma)
        ]
        for index in known:
            if members and all(row.get(index) is None for row in members):
                reason = (
                    f"no {name} volume in train has {index}, so that none can lend it to the "
                    f"{len(members)} that lack it"
                )
                problems.append(Problem(None, None, reason))
    return problems


def _check_circular(rows: Sequence[ParsedRow]) -> list[Problem]:
    """A class that is a threshold of MD."""
    reason = circular((row.get("glaucoma"), row.get("md")) for row in rows)
    return [] if reason is None else [Problem(None, None, reason, "warning")]
