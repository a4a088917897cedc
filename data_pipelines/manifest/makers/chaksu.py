"""Chaksu: three cameras, five readers.

| what | where | means |
|---|---|---|
| photograph | `{Train,Test}/1.0_Original_Fundus_Images/{Bosch,Forus,Remidio}/NAME.*` | official train and test |
| masks | `5.0_OD_OC_Mean_Median_Majority_STAPLE/CAMERA/{Disc,Cup}/Majority/NAME.tif` | what most readers marked |
| readers | `3.0_Doctors_Annotations_Binary_OD_OC/Expert 1..5/CAMERA/{Disc,Cup}/NAME.tif` | used with --agreement |
| label | `6.0_Glaucoma_Decision/Glaucoma_Decision_Comparison_CAMERA_majority.csv` | NORMAL or GLAUCOMA SUSPECT, by the photograph alone: no label unless --suspects=glaucoma |
"""

from __future__ import annotations

import re
from pathlib import Path

from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.masks import Outlines
from data_pipelines.manifest.makers.regions import Picture
from data_pipelines.manifest.makers.sheets import read_columns
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"1\.0_original_fundus_images/[^/]+/[^/]+\.\w+",)

_CAMERA = r"(?P<camera>bosch|forus|rem[ie]dio)"
_PHOTOGRAPH = rf"(?P<part>train|test)/1\.0_[^/]+/{_CAMERA}/(?P<stem>[^/]+)\.(?:jpe?g|png|tiff?)"
_MASK = r"(?:jpe?g|png|tiff?|bmp)"
_FUSED = rf"(?P<part>train|test)/5\.0_[^/]+/{_CAMERA}/(?P<what>disc|cup)/majority/(?P<stem>[^/]+)\.{_MASK}"
_READER = (
    rf"(?P<part>train|test)/3\.0_[^/]+/expert *(?P<reader>\d)/{_CAMERA}/(?P<what>disc|cup)/"
    rf"(?P<stem>[^/]+)\.{_MASK}"
)
_DECISION = rf"(?P<part>train|test)/6\.0_[^/]+/[^/]*comparison_{_CAMERA}_majority\.csv"

NOTES = [
    "Readers called photographs normal or suspect; nobody was examined. It is no diagnosis: the "
    "label is empty unless --suspects=glaucoma.",
    "Two eyes of one person may be there; the names do not tell.",
]

Key = tuple[str, str, str]  # part, camera, stem


def find_chaksu(root: Path, agreement: str | None = None, suspects: str = "empty") -> Found:
    """Finds Chaksu.

    Args:
      root: at or above Train/ and Test/.
      agreement: None takes the published majority; else of the five readers' own masks.
      suspects: "empty" labels nobody; "drop" leaves suspects out; "glaucoma" calls them glaucoma and
        the others not.
    """
    tree, problems = Tree(root), []
    photographs = {_key(match): (file, match) for file, match in tree.matches(_PHOTOGRAPH)}
    if not photographs:
        looked = ["Train/1.0_Original_Fundus_Images/Bosch/NAME.JPG"]
        return Found([], {}, [tree.is_missing(looked)], [])
    masks = _masks(tree, _FUSED if agreement is None else _READER)
    decisions = _decisions(tree, problems) if suspects != "empty" else {}
    eyes, sources, lacking = [], {}, []
    for key, (file, _) in sorted(photographs.items()):
        part, camera, stem = key
        suspect = decisions.get(key)
        if suspect and suspects == "drop":
            continue
        name = f"{part}-{camera}-{stem}".replace(" ", "_")
        glaucoma = suspect if suspects == "glaucoma" else None
        eyes.append(Eye(name, name, part, file, glaucoma=glaucoma))
        source = _source(masks.get(key, {}), agreement or "first")
        if source is None:
            lacking.append(name)
        else:
            sources[name] = source
    if lacking:
        where = "5.0_.../Majority" if agreement is None else "3.0_Doctors_Annotations_Binary_OD_OC"
        reason = f"{len(lacking)} of {len(eyes)} photographs have no disc and cup in {where}: "
        problems.append(Problem(None, None, reason + ", ".join(lacking[:5]), "warning"))
    return Found(eyes, {}, problems, list(NOTES), sources)


def _key(match: re.Match) -> Key:
    stem = re.sub(r"[-_ ]?glsusp$", "", match["stem"].lower())
    camera = match["camera"].lower().replace("remedio", "remidio")
    return match["part"].lower(), camera, stem


def _masks(tree: Tree, pattern: str) -> dict[Key, dict[tuple[str, str], Path]]:
    found: dict[Key, dict[tuple[str, str], Path]] = {}
    for file, match in tree.matches(pattern):
        reader = match.groupdict().get("reader") or "1"
        found.setdefault(_key(match), {})[match["what"].lower(), reader] = file
    return found


def _source(files: dict[tuple[str, str], Path], agreement: str) -> Outlines | None:
    readers = sorted({r for _, r in files if {("disc", r), ("cup", r)} <= files.keys()})
    if not readers:
        return None
    regions = ([Picture(files[what, r]) for r in readers] for what in ("disc", "cup"))
    return Outlines(*regions, agreement)


def _decisions(tree: Tree, problems: list[Problem]) -> dict[Key, int]:
    """Key -> 1 suspect, 0 normal."""
    found: dict[Key, int] = {}
    sheets = tree.matches(_DECISION)
    if not sheets:
        reason = "has no 6.0_Glaucoma_Decision/Glaucoma_Decision_Comparison_CAMERA_majority.csv"
        problems.append(Problem(None, str(tree.root), reason))
    for file, match in sheets:
        titles = {"name": "images", "decision": "(majority|glaucoma) decision"}
        camera = match["camera"].lower().replace("remedio", "remidio")
        for row, cells in read_columns(file, titles, problems):
            decision = " ".join(cells["decision"].upper().split())
            if decision not in ("NORMAL", "GLAUCOMA SUSPECT", "GLAUCOMA SUSUPECT"):
                reason = f"{cells['decision']!r} is neither NORMAL nor GLAUCOMA SUSPECT"
                problems.append(Problem(row, str(file), reason))
                continue
            # "Image101.jpg-Image101-1.jpg" is Image101.
            stem = Path(re.split(r"\.\w+-", cells["name"])[0]).stem.lower()
            found[match["part"].lower(), camera, stem] = int(decision != "NORMAL")
    return found
