"""One's own folder: pictures, masks and volumes matched by name.

images/eye7.jpg     photograph; or .png, .tif, .bmp, .dcm
masks/eye7.png      optional; ids, or the codes given by --mask_codes; .npy, too
masks/eye7/anna.png instead: a folder of several readers' masks, of which --agreement makes one
oct/eye7.npy        optional; or a folder oct/eye7/ of B-scans, .npz, .tif, .dcm
grades.csv          optional; columns id, and grade and/or patient
grades.txt          optional; names of the grades, one a line, where they are not normal, early and
                    mid/advanced
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from data_pipelines.bad_file import BadFile
from data_pipelines.images import CUP, LABEL_SUFFIXES, PHOTOGRAPH_SUFFIXES, RIM, person_key
from data_pipelines.litter import is_litter
from data_pipelines.manifest.fields import parse_grade, parse_id, parse_patient
from data_pipelines.manifest.grades import read_names
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
    grades, patients = _read_grades(root, fundus, names, problems)
    notes = [] if patients else [NO_PATIENTS]
    if not patients and (patients := _of_headers(fundus, problems)):
        notes = [BY_HEADERS.format(len(patients), len(set(patients.values())))]
    problems += _unused_tables(root)
    for name, file in fundus.items():
        try:
            parse_id(name)
        except ValueError as error:
            problems.append(Problem(None, str(file), f"{error}; rename the picture"))
    eyes = [
        Eye(n, patients.get(n, n), "", file, scans.get(n), masks.get(n), grades.get(n))
        for n, file in fundus.items()
    ]
    sources = {
        name: _of_readers(folder, codes, agreement or "majority")
        for name, folder in readers.items()
    }
    return Found(eyes, codes, problems, notes, sources, names)


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


def _read_grades(
    root: Path, known: Mapping[str, Path], names: Sequence[str], problems: list[Problem]
) -> tuple[dict[str, int | None], dict[str, str]]:
    """(id -> grade, id -> patient) from grades.csv, if it is there."""
    path = _inner(root, "grades.csv")
    grades: dict[str, int | None] = {}
    patients: dict[str, str] = {}
    if not path.exists():
        return grades, patients
    seen: dict[str, int] = {}
    for row in read_table(path, ("id",), problems, optional=("grade", "patient")):
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
            grades[name] = parse_grade(row.cells.get("grade", ""), names)
            if "patient" in row.cells:
                patients[name] = parse_patient(row.cells["patient"])
        except ValueError as error:
            problems.append(Problem(row.line, str(path), str(error)))
    return grades, patients
