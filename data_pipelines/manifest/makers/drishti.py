"""Drishti-GS1: soft maps of four readers.

| what | where | means |
|---|---|---|
| photograph | `Training/Images/drishtiGS_002.png`, `Test/Images/` | official train and test |
| maps | `.../drishtiGS_002/SoftMap/drishtiGS_002_{ODsegSoftmap,cupsegSoftmap}.png` | 0, 64, 128, 191, 255: none to all of 4 readers |
| label | `Drishti-GS1_diagnosis.xlsx`, `Total` | Glaucomatous or Normal: the readers' opinion of the picture |
| patient | `Patient ID` of the same sheet | |
"""

from __future__ import annotations

from pathlib import Path

from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.masks import Outlines
from data_pipelines.manifest.makers.official import keep_official_splits
from data_pipelines.manifest.makers.regions import Picture
from data_pipelines.manifest.makers.sheets import read_columns
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"drishtigs_\d+_odsegsoftmap\.png", r"images/(?:[^/]+/)?drishtigs_\d+\.(?:png|jpe?g)")

_PHOTOGRAPH = r"(?P<part>training|test)/images/(?:[^/]+/)?(?P<stem>drishtigs_\d+)\.(?:png|jpe?g)"
_MAP = r"(?P<stem>drishtigs_\d+)_{what}segsoftmap\.png"
# What a map holds at least where 1, 2, 3 and 4 of the four readers agree: halfway between levels.
_LEVELS = (32, 96, 160, 223)
_TOTALS = {"glaucomatous": 1, "normal": 0}


def find_drishti(root: Path, agreement: str = "majority", by_patient: bool = False) -> Found:
    """Finds Drishti-GS1.

    Args:
      root: at or above Training/ and Test/.
      agreement: of the four readers; "majority" is 3 of 4. A score without it cannot be compared.
      by_patient: patients as the sheet tells, and splits drawn, instead of the official splits.
    """
    tree, problems = Tree(root), []
    photographs = {m["stem"].lower(): (f, m) for f, m in tree.matches(_PHOTOGRAPH)}
    if not photographs:
        looked = ["Training/Images/drishtiGS_002.png", "Test/Images/drishtiGS_001.png"]
        return Found([], {}, [tree.is_missing(looked)], [])
    maps = [tree.by_key(_MAP.format(what=what), problems) for what in ("od", "cup")]
    sheet = _sheet(tree, problems)
    eyes, sources = [], {}
    for key, (file, match) in sorted(photographs.items()):
        glaucoma, patient = sheet.get(key, (None, key))
        split = {"training": "train", "test": "test"}[match["part"].lower()]
        eyes.append(Eye(key, patient, split, file, glaucoma=glaucoma))
        if all(key in files for files in maps):
            sources[key] = _source(*(files[key] for files in maps), agreement)
        else:
            reason = (
                f"has no SoftMap/{match['stem']}_ODsegSoftmap.png and _cupsegSoftmap.png: no mask"
            )
            problems.append(Problem(None, str(file), reason, "warning"))
    notes = [
        f"Masks are what '{agreement}' of four readers have marked (majority: 3 of 4); scores for "
        "another agreement cannot be compared.",
        "The label is the readers' opinion of the picture, no diagnosis, and no grade.",
    ]
    eyes = keep_official_splits(eyes, notes, by_patient)
    return Found(eyes, {}, problems, notes, sources)


def _source(disc: Path, cup: Path, agreement: str) -> Outlines:
    """The levels of a map stand for readers: the first is all that any has marked."""

    def levels(path: Path) -> list[Picture]:
        return [Picture(path, least, binary=False, nearly=True) for least in _LEVELS]

    if agreement == "first":
        raise ValueError("--agreement=first does nothing here: the maps do not tell readers apart")
    return Outlines(levels(disc), levels(cup), agreement, told_apart=False)


def _sheet(tree: Tree, problems: list[Problem]) -> dict[str, tuple[int | None, str]]:
    """Stem -> (glaucoma, patient)."""
    sheets = tree.matches(r"[^/]*diagnosis[^/]*\.xlsx")
    if not sheets:
        reason = "has no Drishti-GS1_diagnosis.xlsx: no eye gets a label, nor its patient"
        problems.append(Problem(None, str(tree.root), reason, "warning"))
        return {}
    titles = {"name": "drishti-gs file", "patient": "patient id", "total": "total"}
    labels: dict[str, tuple[int | None, str]] = {}
    for row, cells in read_columns(sheets[0][0], titles, problems):
        name = cells["name"].strip("'` ").lower()
        total = _TOTALS.get(cells["total"].lower())
        if name and total is None:
            reason = f"Total {cells['total']!r} of {name} is neither Glaucomatous nor Normal"
            problems.append(Problem(row, str(sheets[0][0]), reason))
        if name:
            labels[name] = total, cells["patient"] or name
    return labels
