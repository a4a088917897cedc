"""The layout that the released IMO repository trains on.

seg/train/vi/0001.png       photograph
seg/train/oct/0001.npy      volume, (slices, depth, width)
seg/train/label/0001.png    ids: 0 background, 1 rim, 2 cup
seg/test/...                the same
seg/class_label.txt         lines "0001 2": name and grade
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from data_pipelines.manifest.fields import parse_grade, parse_id
from data_pipelines.manifest.makers.found import (
    Found,
    pictures_by_stem,
    unmatched,
    volumes_by_stem,
    without_mask,
)
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

NOTES = [
    "This layout has no patient ids: every eye is taken for a patient of its own.",
    "This layout has no validation split: it is drawn from train; test is kept as it is.",
]


def find_imo(root: Path, codes: Mapping[int, int]) -> Found:
    """Finds the eyes of seg/{train,test}, with the layout's own splits.

    Args:
      root: the folder `seg`, or one above it.
      codes: what the values of the label pictures mean.
    """
    problems: list[Problem] = []
    base = _find_base(root)
    if base is None:
        looked = ["seg/train/vi/0001.png", "seg/test/vi/0001.png"]
        return Found([], codes, [Tree(root).is_missing(looked)], [])
    grades = _read_class_labels(base, problems)
    eyes: list[Eye] = []
    split_of: dict[str, str] = {}
    for split in ("train", "test"):
        fundus = pictures_by_stem(base / split / "vi", problems)
        labels = pictures_by_stem(base / split / "label", problems)
        scans = volumes_by_stem(base / split / "oct", problems)
        problems += unmatched(labels, fundus, "label picture")
        problems += unmatched(scans, fundus, "volume")
        problems += without_mask(labels, fundus, f"{split}/label/NAME.png")
        for name, file in fundus.items():
            try:
                parse_id(name)
            except ValueError as error:
                problems.append(Problem(None, str(file), str(error)))
            if name in split_of:
                reason = f"is in both train and test: {name!r} names two eyes or leaks one"
                problems.append(Problem(None, str(file), reason))
            split_of[name] = split
            eyes.append(
                Eye(name, name, split, file, scans.get(name), labels.get(name), grades.get(name))
            )
    for name in sorted(grades.keys() - split_of.keys()):
        reason = f"grades {name!r}, which has no photograph"
        problems.append(Problem(None, str(base / "class_label.txt"), reason))
    for name in sorted(split_of.keys() - grades.keys()) if grades else []:
        reason = f"does not grade {name!r}: its grade is unknown"
        problems.append(Problem(None, str(base / "class_label.txt"), reason, "warning"))
    return Found(eyes, codes, problems, list(NOTES))


def _find_base(root: Path) -> Path | None:
    """The folder that holds train/ and test/, whatever folders an unzip tool put around it."""
    for file, _ in Tree(root).matches(r"(train|test)/vi/[^/]+\.\w+"):
        base = file.parents[2]
        if (base / "train" / "vi").is_dir() or (base / "test" / "vi").is_dir():
            return base
    return None


def _read_class_labels(base: Path, problems: list[Problem]) -> dict[str, int]:
    """Name -> grade, from lines 'name grade', 'name,grade' or 'name.png grade'."""
    path = next(
        (
            file
            for folder in (base, base.parent)
            for file in sorted(folder.iterdir())
            if file.name.lower() == "class_label.txt" and file.is_file()
        ),
        None,
    )
    if path is None:
        reason = "is missing: no eye gets a grade"
        problems.append(Problem(None, str(base / "class_label.txt"), reason, "warning"))
        return {}
    grades: dict[str, int] = {}
    text = path.read_text("utf-8-sig", errors="replace")
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        match = re.fullmatch(r"\s*(.+?)(?:\.(?:png|jpg|npy))?\s*[\s,;:]\s*(\S+)\s*", content)
        if match is None:
            problems.append(Problem(line, str(path), f"{content!r} is not 'name grade'"))
            continue
        name, cell = match.groups()
        try:
            grade = parse_grade(cell)
        except ValueError as error:
            problems.append(Problem(line, str(path), str(error)))
            continue
        if grades.setdefault(name, grade) != grade:
            reason = f"grades {name!r} a second time, differently"
            problems.append(Problem(line, str(path), reason))
    return grades
