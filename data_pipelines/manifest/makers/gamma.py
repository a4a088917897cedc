"""The GAMMA challenge's folders, as they are unpacked.

    Glaucoma_grading/training/multi-modality_images/0001/0001.jpg           photograph
    Glaucoma_grading/training/multi-modality_images/0001/0001/7_image.jpg   B-scan 7 of 0..255
    Glaucoma_grading/training/glaucoma_grading_training_GT.xlsx     data, non, early, mid_advanced
    Disc_Cup_Segmentation/training/fundus color images/0001.jpg
    Disc_Cup_Segmentation/training/Disc_Cup_Mask/0001.png           255 background, 128 rim, 0 cup
    .../testing/...                                                 the same without labels

Archives unpack under varying names, so folders are told by what they hold, down to some
depth; one task alone is enough. The same number is the same eye in every task.
"""

from __future__ import annotations

import dataclasses
import filecmp
import os
import re
from pathlib import Path

from data_pipelines.images import IMAGE_SUFFIXES
from data_pipelines.manifest.makers.found import Found, without_mask
from data_pipelines.manifest.makers.gamma_grades import read_grades
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.mask_codes import MASK_CODES
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

NO_PATIENTS = (
    "GAMMA publishes no patient ids: every eye is taken for a patient of its own, so two eyes "
    "of one person may be in two splits (the 300 eyes come from 276 people)."
)
MACULAR = "GAMMA's OCT is a macular cube (3 x 3 mm), not one of the optic disc."

_MAX_DEPTH = 6


@dataclasses.dataclass
class _Folders:
    """The folders of one part of the data, training or testing."""

    multimodal: list[Path] = dataclasses.field(default_factory=list)
    masks: list[Path] = dataclasses.field(default_factory=list)
    photographs: list[Path] = dataclasses.field(default_factory=list)
    sheets: list[Path] = dataclasses.field(default_factory=list)


def find_gamma(root: Path, include_unlabelled: bool = False) -> Found:
    """Finds the eyes of GAMMA under root, in the order of their numbers.

    Args:
      root: the unpacked folders, a folder above or below them.
      include_unlabelled: also take the eyes of the testing folders, which have no labels.
    """
    problems: list[Problem] = []
    training, testing = _find_folders(root)
    for what, folders in (
        ("multi-modality_images", training.multimodal),
        ("Disc_Cup_Mask", training.masks),
        ("grades", training.sheets),
    ):
        for extra in folders[1:]:
            reason = f"is a second folder or sheet of {what}, beside {folders[0]}; remove one"
            problems.append(Problem(None, str(extra), reason))
    if not (training.multimodal or training.masks):
        reason = (
            "no GAMMA training data found here: neither multi-modality_images/0001/0001.jpg "
            f"nor Disc_Cup_Mask/0001.png; there is {Tree(root).tops}"
        )
        if testing.multimodal or testing.photographs:
            reason += "; there are testing folders only, which have no labels"
        problems.append(Problem(None, str(root), reason))
    eyes = _training_eyes(training, problems)
    if include_unlabelled:
        eyes += _testing_eyes(testing, {eye.id for eye in eyes})
    return Found(eyes, MASK_CODES["gamma"], problems, [NO_PATIENTS, MACULAR])


def _find_folders(root: Path) -> tuple[_Folders, _Folders]:
    """(training, testing): folders told by what they hold."""
    training, testing = _Folders(), _Folders()
    root = Path(os.path.abspath(root))
    for folder, inner, files in os.walk(root, followlinks=True):
        here = Path(folder)
        below = here.relative_to(root).parts
        part = testing if _names_test(root, below) else training
        inner.sort()
        numbered = [name for name in inner if _number(name) is not None]
        if any(_picture(here / name, name) for name in numbered[:5]):
            part.multimodal.append(here)
        if any(_is_picture(name) and _number(Path(name).stem) is not None for name in files):
            if _letters(here.name).startswith("disccupmask"):
                part.masks.append(here)
            elif re.search("fundus|colou?r", here.name.lower()) and not _is_fovea_task(below):
                part.photographs.append(here)
        part.sheets += [here / name for name in sorted(files) if _is_grade_sheet(name)]
        deep = len(below) >= _MAX_DEPTH
        inner[:] = [] if deep else [n for n in inner if n not in numbered and n[0] not in "._"]
    return training, testing


_TESTING = {"test", "testing", "val", "validation"}


def _names_test(root: Path, below: tuple[str, ...]) -> bool:
    """Whether a folder is of the testing part; root counts only if that is its whole name."""
    words = {word for part in below for word in re.split("[^a-z]+", part.lower())}
    return bool(_TESTING & words) or root.name.lower() in _TESTING


def _letters(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


def _is_fovea_task(below: tuple[str, ...]) -> bool:
    """Whether a folder is of GAMMA's second task, the fovea, which has photographs too."""
    return any(re.search("fovea|locali[sz]ation", part.lower()) for part in below)


def _is_grade_sheet(name: str) -> bool:
    lower = name.lower()
    return (
        lower.endswith(".xlsx")
        and not lower.startswith((".", "~"))
        and re.search("grad|_gt", lower) is not None
        and not _is_fovea_task((lower,))
    )


def _number(name: str) -> int | None:
    """The number of an eye, from '0001', '1'."""
    return int(name) if name.isascii() and name.isdigit() else None


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _picture(folder: Path, stem: str) -> Path | None:
    """The picture of that stem in a folder, whatever its suffix."""
    for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
        if _is_picture(name) and Path(name).stem == stem:
            return folder / name
    return None


def _numbered_pictures(folders: list[Path], problems: list[Problem]) -> dict[int, Path]:
    """Number -> picture in these folders; the first wins, twice in one folder is a problem."""
    found: dict[int, Path] = {}
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            number = _number(Path(name).stem)
            if number is None or not _is_picture(name):
                continue
            if number in found and found[number].parent == folder:
                reason = f"is a second picture of eye {number:04d}, beside {found[number].name!r}"
                problems.append(Problem(None, str(folder / name), reason))
            found.setdefault(number, folder / name)
    return found


def _multimodal_eyes(
    folders: list[Path], problems: list[Problem]
) -> dict[int, tuple[Path, Path | None]]:
    """Number -> (photograph, folder of B-scans or None)."""
    found: dict[int, tuple[Path, Path | None]] = {}
    for folder in folders[:1]:
        for name in sorted(os.listdir(folder)):
            number = _number(name)
            if number is None or not (folder / name).is_dir():
                continue
            fundus = _picture(folder / name, name)
            if fundus is None:
                reason = f"has no photograph {name}.jpg"
                problems.append(Problem(None, str(folder / name), reason))
                continue
            scans = folder / name / name
            if not scans.is_dir():
                reason = f"has no folder {name} of B-scans: this eye has no OCT"
                problems.append(Problem(None, str(folder / name), reason, "warning"))
            found[number] = (fundus, scans if scans.is_dir() else None)
    return found


def _training_eyes(folders: _Folders, problems: list[Problem]) -> list[Eye]:
    multimodal = _multimodal_eyes(folders.multimodal, problems)
    photographs = _numbered_pictures(folders.photographs, problems)
    masks = _numbered_pictures(folders.masks[:1], problems)
    grades: dict[int, int] = {}
    known = multimodal.keys() | photographs.keys()
    for sheet in folders.sheets[:1]:
        grades = read_grades(sheet, known, problems)
    if multimodal and not folders.sheets:
        reason = "has no glaucoma_grading_training_GT.xlsx: no eye gets a grade"
        problems.append(Problem(None, str(folders.multimodal[0].parent), reason, "warning"))
    for number in sorted(masks.keys() - known):
        reason = f"is a mask without a photograph {number:04d}.jpg in any task"
        problems.append(Problem(None, str(masks[number]), reason))
    names, masked = ({f"{number:04d}" for number in numbers} for numbers in (known, masks))
    problems += without_mask(masked, names, "Disc_Cup_Mask/NUMBER.png")
    eyes = []
    for number in sorted(known):
        fundus, scans = multimodal.get(number) or (photographs[number], None)
        if number in photographs and not filecmp.cmp(fundus, photographs[number], shallow=False):
            reason = f"is not the same file as {fundus}: is it the same eye in both tasks?"
            problems.append(Problem(None, str(photographs[number]), reason, "warning"))
        if grades and number in multimodal and number not in grades:
            reason = f"has no row in {folders.sheets[0].name}: its grade is unknown"
            problems.append(Problem(None, str(fundus), reason, "warning"))
        name = f"{number:04d}"
        eyes.append(Eye(name, name, "", fundus, scans, masks.get(number), grades.get(number)))
    return eyes


def _testing_eyes(folders: _Folders, taken: set[str]) -> list[Eye]:
    """The eyes without labels; a number that training uses too gets a name of its own."""
    multimodal = _multimodal_eyes(folders.multimodal, [])
    photographs = _numbered_pictures(folders.photographs, [])
    eyes = []
    for number in sorted(multimodal.keys() | photographs.keys()):
        fundus, scans = multimodal.get(number) or (photographs[number], None)
        name = f"{number:04d}"
        name = f"testing-{name}" if name in taken else name
        eyes.append(Eye(name, name, "", fundus, scans))
    return eyes
