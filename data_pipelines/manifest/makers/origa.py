"""ORIGA(-light).

| what | where | means |
|---|---|---|
| photograph | `Images/001.jpg` | |
| mask | `Masks/001.png`, or `Semi-automatic-annotations*/001.mat`, array `mask` | 0 background, 1 rim, 2 cup; other codes are told from the file or refused |
| label, eye | `OrigaList.csv`: `Filename`, `Glaucoma`, `Eye`, `Set` | `glaucoma` 0 or 1; set A is train and B test, as papers do |
"""

from __future__ import annotations

from pathlib import Path

from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.masks import Coded
from data_pipelines.manifest.makers.sheets import read_columns, whole_number
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.mask_codes import MASK_CODES
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"origalist\.csv", r"semi-automatic-annotations[^/]*/\d{3}\.mat")

NOTES = [
    "No patients are told, though many eyes are pairs: two eyes of one person may be in two splits.",
    "Set A is train, B is test: a convention of papers, not an official split.",
    "Its owners no longer offer it; mirrors' licences are their uploaders'.",
]


def find_origa(root: Path) -> Found:
    """Finds ORIGA."""
    tree, problems = Tree(root), []
    photographs = tree.by_key(r"images/(?P<stem>\d{3})\.(?:jpe?g|png)", problems)
    if not photographs:
        return Found([], {}, [tree.is_missing(["Images/001.jpg"])], [])
    masks = tree.by_key(r"semi-automatic-annotations[^/]*/(?P<stem>\d{3})\.mat", problems)
    masks |= tree.by_key(r"masks/(?P<stem>\d{3})\.(?:png|bmp|tiff?)", problems)
    rows = _list(tree, problems)
    codes = (MASK_CODES["ids"], MASK_CODES["rising"], MASK_CODES["gamma"])
    eyes, sources = [], {}
    for key, file in sorted(photographs.items()):
        glaucoma, side, split = rows.get(key, (None, None, ""))
        eyes.append(Eye(key, key, split, file, glaucoma=glaucoma, eye=side))
        if key in masks:
            sources[key] = Coded(masks[key], codes)
    lacking = sorted(photographs.keys() - masks.keys())
    if lacking:
        reason = f"{len(lacking)} of {len(eyes)} photographs have no Masks/NNN.png or .mat: "
        problems.append(Problem(None, None, reason + ", ".join(lacking[:5]), "warning"))
    return Found(eyes, codes[0], problems, list(NOTES), sources)


def _list(tree: Tree, problems: list[Problem]) -> dict[str, tuple]:
    """Stem -> (glaucoma, eye, split)."""
    sheets = tree.matches(r"origalist\.csv")
    if not sheets:
        reason = "has no OrigaList.csv: no eye gets a label, its side or its set"
        problems.append(Problem(None, str(tree.root), reason, "warning"))
        return {}
    titles = {"name": "filename", "label": "glaucoma", "eye": "eye", "set": "set"}
    found = {}
    for row, cells in read_columns(sheets[0][0], titles, problems):
        label = whole_number(cells["label"])
        part = {"A": "train", "B": "test"}.get(cells["set"].upper())
        side = cells["eye"].upper()
        if label not in (0, 1) or part is None or side not in ("OD", "OS"):
            reason = (
                f"Glaucoma {cells['label']!r}, Set {cells['set']!r}, Eye {cells['eye']!r}: expected 0 "
                "or 1, A or B, OD or OS"
            )
            problems.append(Problem(row, str(sheets[0][0]), reason))
            continue
        found[Path(cells["name"]).stem.lower()] = label, side, part
    return found
