"""One's own folder: pictures, masks and volumes matched by name.

images/eye7.jpg     photograph; or .png, .tif, .bmp, .dcm
masks/eye7.png      optional; ids, or the codes given by --mask_codes; .npy, too
masks/eye7/anna.png instead: a folder of several readers' masks, of which --agreement makes one
oct/eye7.npy        optional; or a folder oct/eye7/ of B-scans, .npz, .tif, .dcm
grades.csv          optional; columns id, and any of grade, glaucoma (0 no, 1 yes), patient and eye (OD, OS)
grades.txt          optional; names of the grades, one a line, where they are not normal, early and
                    mid/advanced
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.bad_file import BadFile
from data_pipelines.images import CUP, LABEL_SUFFIXES, PHOTOGRAPH_SUFFIXES, RIM, person_key
from data_pipelines.litter import is_litter
from data_pipelines.manifest.fields import (
    parse_eye,
    parse_glaucoma,
    parse_grade,
    parse_id,
    parse_patient,
)
from data_pipelines.manifest.grades import BINARY_GRADES, PAPER_GRADES, read_names
from data_pipelines.manifest.makers.found import (
    Found,
    pictures_by_stem,
    unmatched,
    volumes_by_stem,
    without_mask,
)
from data_pipelines.manifest.makers.masks import Outlines
from data_pipelines.manifest.makers.regions import Marked
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.table import read_table

NO_PATIENTS = (
    "No patients are given: every eye is taken for a patient of its own. If two eyes here are "
    "of one person, add a column 'patient' to grades.csv, so that no split shares a person."
)
TWO_OF_THREE = (
    "grades.csv has the grades 0 and 1 alone, which are normal and early here. Where its 1 means any "
    "glaucoma, call the column 'glaucoma', or name the two in a file grades.txt, one a line."
)

BY_HEADERS = (
    "The headers of {} DICOM photographs tell {} people: a person is called as the first of their "
    "photographs is, and stays in one split; no name or number of theirs is written. Other "
    "photographs count as a person each."
)


def find_folder(root: Path, codes: Mapping[int, int], agreement: str | None = None) -> Found:
    """Finds the eyes of a folder, in the order of their names.

    Args:
      root: holds images/ and, as far as there are any, masks/, oct/, grades.csv and grades.txt.
      codes: what the values of the masks mean.
      agreement: of several readers, see `masks.Outlines`; None = "majority".

    Raises:
      ValueError: an agreement, and no eye has several readers.
    """
    problems: list[Problem] = []
    folders = {name: _inner(root, name) for name in ("images", "masks", "oct")}
    if not folders["images"].is_dir():
        tree = Tree(root)
        reason = f"has no folder images/ with the photographs; there is {tree.tops}"
        deeper = tree.matches(r"images/[^/]+\.\w+")
        if deeper:
            reason += f"; there is one below: give --root={deeper[0][0].parents[1]}"
        return Found([], codes, [Problem(None, str(root), reason)], [])
    fundus = pictures_by_stem(folders["images"], problems, PHOTOGRAPH_SUFFIXES)
    if not fundus:
        kinds = ", ".join(PHOTOGRAPH_SUFFIXES)
        problems.append(Problem(None, str(folders["images"]), f"holds no picture ({kinds})"))
    masks = pictures_by_stem(folders["masks"], problems, LABEL_SUFFIXES)
    readers = _readers(folders["masks"], masks, problems)
    if agreement is not None and not readers:
        raise ValueError("--agreement does nothing here: no folder masks/NAME/ of several readers")
    scans = volumes_by_stem(folders["oct"], problems)
    problems += unmatched(masks | readers, fundus, "mask")
    problems += unmatched(scans, fundus, "volume")
    problems += without_mask(masks.keys() | readers.keys(), fundus, "masks/NAME.png")
    names = read_names(_inner(root, "grades.txt"), problems)
    labels = _read_labels(root, fundus, names, problems)
    patients = {name: found["patient"] for name, found in labels.items() if "patient" in found}
    notes = [] if patients else [NO_PATIENTS]
    if not patients and (patients := _of_headers(fundus, problems)):
        notes = [BY_HEADERS.format(len(patients), len(set(patients.values())))]
    names = _names_of(labels, names, notes)
    problems += _unused_tables(root)
    for name, file in fundus.items():
        try:
            parse_id(name)
        except ValueError as error:
            problems.append(Problem(None, str(file), f"{error}; rename the picture"))
    eyes = [
        Eye(
            id=n, split="", fundus=file, oct=scans.get(n), mask=masks.get(n),
            **{"patient": patients.get(n, n)} | labels.get(n, {}),
        )  # fmt: skip
        for n, file in fundus.items()
    ]
    sources = {
        name: _of_readers(folder, codes, agreement or "majority")
        for name, folder in readers.items()
    }
    return Found(eyes, codes, problems, notes, sources, names)


def _names_of(
    labels: Mapping[str, Mapping[str, Any]], names: tuple[str, ...], notes: list[str]
) -> tuple[str, ...]:
    """The names of the grades, of those that grades.txt gives or the paper's; a doubt goes to the notes."""
    grades, glaucoma = (
        {found[name] for found in labels.values()} - {None} for name in ("grade", "glaucoma")
    )
    if names == PAPER_GRADES and glaucoma and not grades:
        return BINARY_GRADES  # Nothing else is told: the two are what there is to learn.
    if names == PAPER_GRADES and grades == {0, 1}:
        notes.append(TWO_OF_THREE)
    return names


def _of_headers(fundus: Mapping[str, Path], problems: list[Problem]) -> dict[str, str]:
    """Name of a DICOM photograph -> that of the first of the same person, by their headers."""
    first: dict[str, str] = {}
    found = {}
    for name, file in fundus.items():
        try:
            key = person_key(file)
        except BadFile as error:
            problems.append(Problem(None, error.path, error.reason))
            continue
        if key is not None:
            found[name] = first.setdefault(key, name)
    return found


def _readers(folder: Path, masks: Mapping[str, Path], problems: list[Problem]) -> dict[str, Path]:
    """Name of an eye -> the folder of its readers' masks."""
    found = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if is_litter(entry.name) or not entry.is_dir():
            continue
        found[entry.name] = entry
        if entry.name in masks:
            reason = f"has the same name as {masks[entry.name].name!r}; keep one of them"
            problems.append(Problem(None, str(entry), reason))
        if not _pictures(entry):
            problems.append(Problem(None, str(entry), "is a folder of readers without masks"))
            del found[entry.name]
    return found


def _pictures(folder: Path) -> list[Path]:
    return list(pictures_by_stem(folder, [], LABEL_SUFFIXES).values())


def _of_readers(folder: Path, codes: Mapping[int, int], agreement: str) -> Outlines:
    """Each picture of a folder is one reader's mask; of codes without a cup the disc alone."""
    files = _pictures(folder)
    discs = [Marked(file, codes, (RIM, CUP)) for file in files]
    marked = CUP in codes.values()
    return Outlines(discs, [Marked(file, codes, (CUP,)) for file in files if marked], agreement)


def _inner(root: Path, name: str) -> Path:
    """root/name, in whatever case it is written."""
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        if entry.name.lower() == name:
            return entry
    return root / name


def _unused_tables(root: Path) -> list[Problem]:
    """A warning for each table beside the images that is not read."""
    return [
        Problem(None, str(entry), "is not read; labels are read from grades.csv", "warning")
        for entry in sorted(root.iterdir() if root.is_dir() else [])
        if entry.suffix.lower() in (".csv", ".xlsx", ".xls", ".tsv")
        and entry.name.lower() != "grades.csv"
    ]


def _read_labels(
    root: Path, known: Mapping[str, Path], names: Sequence[str], problems: list[Problem]
) -> dict[str, dict[str, Any]]:
    """Name of an eye -> its grade, its glaucoma and, where there are the columns, its patient and eye, from grades.csv."""
    path = _inner(root, "grades.csv")
    labels: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return labels
    seen: dict[str, int] = {}
    optional = ("grade", "glaucoma", "patient", "eye")
    for row in read_table(path, ("id",), problems, optional=optional):
        name = row.cells["id"]
        if name not in known and Path(name).suffix.lower() in PHOTOGRAPH_SUFFIXES:
            name = Path(name).stem
        if name not in known:
            reason = f"there is no picture images/{name}"
            problems.append(Problem(row.line, str(path), reason))
        elif name in seen:
            reason = f"id {name!r} is already that of line {seen[name]}"
            problems.append(Problem(row.line, str(path), reason))
        seen.setdefault(name, row.line)
        try:
            labels[name] = _labels(row.cells, names)
        except ValueError as error:
            problems.append(Problem(row.line, str(path), str(error)))
    return labels


def _labels(cells: Mapping[str, str], names: Sequence[str]) -> dict[str, Any]:
    """Fields of an `Eye`; raises ValueError where a cell is wrong."""
    grade = cells.get("grade", "")
    found: dict[str, Any] = {
        "grade": names.index(grade) if grade in names else parse_grade(grade, names),
        "glaucoma": parse_glaucoma(cells.get("glaucoma", "")),
    }
    if "patient" in cells:
        found["patient"] = parse_patient(cells["patient"])
    if cells.get("eye"):
        found["eye"] = parse_eye(cells["eye"])
    return found
