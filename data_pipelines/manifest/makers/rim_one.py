"""RIM-ONE DL: crops around the disc.

| what | where | means |
|---|---|---|
| crop | `RIM-ONE_DL_images/partitioned_by_hospital/{training,test}_set/{normal,glaucoma}/r1_Im003.png` | the other partition, `partitioned_randomly`, holds the same pictures |
| masks | `RIM-ONE_DL_reference_segmentations/{normal,glaucoma}/r1_Im003-1-{Disc,Cup}-T.png` | binary |
| label | the folder | `glaucoma` 0 or 1, clinical |
"""

from __future__ import annotations

import re
from pathlib import Path

from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.masks import Outlines
from data_pipelines.manifest.makers.official import keep_official_splits
from data_pipelines.manifest.makers.regions import Picture
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (
    r"partitioned_(by_hospital|randomly)/(training|test)_set/(normal|glaucoma)/[^/]+\.png",
)
PARTITIONS = {"hospital": "partitioned_by_hospital", "random": "partitioned_randomly"}

_CROP = r"{}/(?P<part>training|test)_set/(?P<label>normal|glaucoma)/(?P<stem>r\d_[^/]+)\.png"
_ANY = r"{}/(?:training|test)_set/(?P<label>[^/]+)/r\d_[^/]+\.png"
_MASK = r"(?P<stem>r\d_[^/]+?)-\d+-{}-t\.png"


def find_rim_one(root: Path, partition: str = "hospital", by_patient: bool = False) -> Found:
    """Finds RIM-ONE DL.

    Args:
      root: at or above `RIM-ONE_DL_images`.
      partition: "hospital" (the test part is of other hospitals) or "random".
      by_patient: splits are drawn by the patients that r3's names tell.
    """
    tree, problems = Tree(root), []
    crops = tree.matches(_CROP.format(PARTITIONS[partition]))
    if not crops:
        looked = [f"{PARTITIONS[partition]}/training_set/normal/r1_Im001.png"]
        return Found([], {}, [tree.is_missing(looked)], [])
    problems += _without_label(tree, PARTITIONS[partition], {file for file, _ in crops})
    discs, cups = (tree.by_key(_MASK.format(what), problems) for what in ("disc", "cup"))
    eyes, sources, lacking = [], {}, []
    for file, match in sorted(crops, key=lambda crop: crop[1]["stem"]):
        name = match["stem"]
        patient, side = _person(name)
        split = "train" if match["part"].lower() == "training" else "test"
        glaucoma = int(match["label"].lower() == "glaucoma")
        eyes.append(Eye(name, patient, split, file, glaucoma=glaucoma, eye=side))
        if name.lower() in discs and name.lower() in cups:
            regions = ([Picture(files[name.lower()])] for files in (discs, cups))
            sources[name] = Outlines(*regions)
        else:
            lacking.append(name)
    if lacking:
        reason = (
            f"{len(lacking)} of {len(eyes)} crops have no NAME-1-Disc-T.png and NAME-1-Cup-T.png in "
            f"RIM-ONE_DL_reference_segmentations: {', '.join(lacking[:5])}"
        )
        problems.append(Problem(None, None, reason, "warning"))
    notes = [
        f"Split {partition}; the other partition holds the same pictures.",
        "These are crops around the disc: a check warns that the disc is large, and a network that "
        "looks for it in whole photographs has not seen the like.",
        "Only r3's names tell the person; r1 and r2 may hold two eyes of one.",
    ]
    eyes = keep_official_splits(eyes, notes, by_patient)
    return Found(eyes, {}, problems, notes, sources)


def _without_label(tree: Tree, partition: str, labelled: set[Path]) -> list[Problem]:
    """A problem where crops lie in folders that are no label."""
    others = [(f, m["label"]) for f, m in tree.matches(_ANY.format(partition)) if f not in labelled]
    if not others:
        return []
    folders = ", ".join(sorted({label for _, label in others}))
    reason = (
        f"{len(others)} crops lie in {folders}: the folder is the label, and known are normal and "
        "glaucoma"
    )
    return [Problem(None, str(tree.root), reason)]


def _person(name: str) -> tuple[str, str | None]:
    """(patient, eye): 'r3_G-8-R' tells both."""
    match = re.match(r"(r3_[A-Z]+-\d+)-([LR])(?![A-Za-z])", name, re.IGNORECASE)
    if match is None:
        return name, None
    return match[1], "OD" if match[2].upper() == "R" else "OS"
