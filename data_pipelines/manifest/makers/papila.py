"""PAPILA: both eyes of 244 people, outlines of two readers, and the visual field.

| what | where | means |
|---|---|---|
| photograph | `FundusImages/RET002OD.jpg` | patient RET002, right eye |
| outlines | `ExpertsSegmentations/Contours/RET002OD_{disc,cup}_exp{1,2}.txt` | closed polygons, lines `x y` in pixels of the photograph |
| label | `ClinicalData/patient_data_{od,os}.xlsx`, `Diagnosis` | 0 healthy, 1 glaucoma, **2 suspect** |
| grade | `VF_MD` of the same row | healthy 0; glaucoma above -6 dB 1, else 2; suspects none |
"""

from __future__ import annotations

import re
from pathlib import Path

from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.masks import Outlines
from data_pipelines.manifest.makers.regions import Contour
from data_pipelines.manifest.makers.sheets import read_columns, whole_number
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.mask_codes import MASK_CODES
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"fundusimages/ret\d+o[ds]\.jpe?g",)

_PHOTOGRAPH = r"fundusimages/(?P<stem>ret(?P<number>\d+)(?P<eye>o[ds]))\.jpe?g"
_CONTOUR = r"(?P<stem>ret\d+o[ds])_(?P<what>disc|cup)_exp(?P<reader>\d)\.txt"

# Below it a field is called moderate or worse (Hodapp, Parrish and Anderson's first cut), in dB.
EARLY_MD = -6.0
SUSPECT = 2

NOTES = [
    "The grade is derived: healthy 0; glaucoma with a mean deviation above -6 dB 1, else 2.",
    "Both eyes of a person are there, and stay in one split.",
]


def find_papila(root: Path, agreement: str = "first", suspects: str = "empty") -> Found:
    """Finds PAPILA's eyes.

    Args:
      root: at or above `FundusImages`.
      agreement: of the two readers, see `Outlines`.
      suspects: "empty" (their labels are), "drop" (these eyes), or "glaucoma" (they count as such).
    """
    tree, problems = Tree(root), []
    photographs = {m["stem"].upper(): (f, m) for f, m in tree.matches(_PHOTOGRAPH)}
    if not photographs:
        return Found([], {}, [tree.is_missing(["FundusImages/RET002OD.jpg"])], [])
    outlines = _outlines(tree)
    labels = _labels(tree, problems)
    eyes, sources = [], {}
    for name, (file, match) in sorted(photographs.items()):
        diagnosis, md = labels.get(name, (None, None))
        if diagnosis == SUSPECT and suspects == "drop":
            continue
        glaucoma, grade = _label(diagnosis, md, suspects)
        patient, side = f"RET{match['number']}", match["eye"].upper()
        eyes.append(Eye(name, patient, "", file, grade=grade, glaucoma=glaucoma, eye=side))
        source = _source(outlines.get(name, {}), agreement)
        if source is None:
            reason = f"has no outlines Contours/{name}_disc_exp1.txt and _cup_exp1.txt: no mask"
            problems.append(Problem(None, str(file), reason, "warning"))
        else:
            sources[name] = source
    unlabelled = sorted(set(photographs) - set(labels)) if labels else []
    if unlabelled:
        reason = f"{len(unlabelled)} photographs have no row in patient_data_od/os.xlsx: "
        problems.append(Problem(None, None, reason + ", ".join(unlabelled[:8]), "warning"))
    return Found(eyes, MASK_CODES["ids"], problems, list(NOTES), sources)


def _label(diagnosis: int | None, md: float | None, suspects: str) -> tuple:
    """(glaucoma, grade)."""
    if diagnosis == SUSPECT:
        return (1 if suspects == "glaucoma" else None), None
    if diagnosis != 1:
        return diagnosis, diagnosis
    return 1, None if md is None else 1 if md > EARLY_MD else 2


def _outlines(tree: Tree) -> dict[str, dict[tuple[str, str], Path]]:
    found: dict[str, dict[tuple[str, str], Path]] = {}
    for file, match in tree.matches(_CONTOUR):
        key = match["what"].lower(), match["reader"]
        found.setdefault(match["stem"].upper(), {})[key] = file
    return found


def _source(files: dict[tuple[str, str], Path], agreement: str) -> Outlines | None:
    """The readers who drew both disc and cup."""
    readers = sorted({r for _, r in files if {("disc", r), ("cup", r)} <= files.keys()})
    if not readers:
        return None
    discs, cups = ([Contour(files[what, r]) for r in readers] for what in ("disc", "cup"))
    return Outlines(discs, cups, agreement)


def _labels(tree: Tree, problems: list[Problem]) -> dict[str, tuple[int, float | None]]:
    """RET002OD -> (diagnosis, MD in dB or None)."""
    labels: dict[str, tuple[int, float | None]] = {}
    for side in ("od", "os"):
        sheets = tree.matches(rf"patient_data_{side}\.xlsx")
        if not sheets:
            reason = f"has no ClinicalData/patient_data_{side}.xlsx: these eyes get no label"
            problems.append(Problem(None, str(tree.root), reason, "warning"))
            continue
        file = sheets[0][0]
        titles = {"id": "ID", "diagnosis": "Diagnosis", "md": r"VF[_ ]?MD"}
        for row, cells in read_columns(file, titles, problems):
            number = re.fullmatch(r"#?(\d+)", cells["id"])
            diagnosis = whole_number(cells["diagnosis"])
            if number is None or diagnosis not in (0, 1, SUSPECT):
                reason = (
                    f"ID {cells['id']!r} with Diagnosis {cells['diagnosis']!r} is not understood: "
                    "#number, and 0 healthy, 1 glaucoma, 2 suspect"
                )
                problems.append(Problem(row, str(file), reason))
                continue
            labels[f"RET{number[1]}{side.upper()}"] = diagnosis, _decibel(cells["md"])
    _check_codes(labels, problems)
    return labels


def _decibel(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _check_codes(labels: dict, problems: list[Problem]) -> None:
    """Copies of the set exist in which glaucoma and suspects are swapped: fields tell."""
    fields = {
        code: [md for diagnosis, md in labels.values() if diagnosis == code and md is not None]
        for code in (1, SUSPECT)
    }
    if all(fields.values()) and min(fields[SUSPECT]) < min(fields[1]):
        reason = (
            f"eyes of Diagnosis 2 reach {min(fields[SUSPECT]):g} dB, those of 1 only "
            f"{min(fields[1]):g}: are glaucoma (1) and suspect (2) swapped in this copy?"
        )
        problems.append(Problem(None, "patient_data_od.xlsx, patient_data_os.xlsx", reason))
