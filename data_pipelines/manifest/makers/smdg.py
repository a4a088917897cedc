"""SMDG-19: many sets brought to 512 x 512.

| what | where | means |
|---|---|---|
| photograph | `full-fundus/[full-fundus/]NAME.png` | |
| masks | `optic-disc/[optic-disc/]NAME.png`, `optic-cup/...` | binary; a disc without a cup: its inside is ignored |
| label | `metadata - standardized.csv`: `types` | 1, 0; -1 is suspect: empty |
"""

from __future__ import annotations

import re
from pathlib import Path

from data_pipelines.manifest.makers.found import Found, without_mask
from data_pipelines.manifest.makers.masks import Outlines
from data_pipelines.manifest.makers.regions import Picture
from data_pipelines.manifest.makers.sheets import read_columns, whole_number
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"full-fundus/[^/]+\.(?:png|jpe?g)",)
NOTES = [
    "It repeats REFUGE, Drishti-GS1 (its test part, too), ORIGA, G1020 and PAPILA: never join it with "
    "them, nor measure on them what was trained here.",
    "Glaucoma and normal eyes come from different cameras: an AUC on it is inflated.",
    "Each set's own licence applies. Its original splits are not kept.",
]


def find_smdg(root: Path, suspects: str = "empty") -> Found:
    """Finds SMDG-19; `suspects` as in papila."""
    tree, problems = Tree(root), []

    def of(folder: str) -> dict[str, Path]:
        return tree.by_key(rf"{folder}/(?P<stem>[^/]+)\.(?:png|jpe?g)", problems)

    photographs, discs, cups = of("full-fundus"), of("optic-disc"), of("optic-cup")
    if not photographs:
        return Found([], {}, [tree.is_missing(["full-fundus/full-fundus/NAME.png"])], [])
    labels = _labels(tree, problems)
    problems += without_mask(discs.keys(), photographs.keys(), "optic-disc/optic-disc/NAME.png")
    eyes, sources = [], {}
    for key, file in sorted(photographs.items()):
        label, patient = labels.get(key, (None, ""))
        if label == -1 and suspects == "drop":
            continue
        glaucoma = {-1: 1 if suspects == "glaucoma" else None}.get(label, label)
        eyes.append(Eye(file.stem, patient or file.stem, "", file, glaucoma=glaucoma))
        if key in discs:
            regions = [Picture(cups[key], binary=False)] if key in cups else []
            sources[file.stem] = Outlines([Picture(discs[key], binary=False)], regions)
    return Found(eyes, {}, problems, list(NOTES), sources)


def _labels(tree: Tree, problems: list[Problem]) -> dict[str, tuple[int, str]]:
    """Stem -> (1, 0 or -1, patient or "")."""
    sheets = tree.matches(r"metadata[^/]*standardized\.csv")
    if not sheets:
        reason = "has no 'metadata - standardized.csv': no eye gets a label"
        problems.append(Problem(None, str(tree.root), reason, "warning"))
        return {}
    found = {}
    titles = {"name": "names", "label": "types"}
    for row, cells in read_columns(sheets[0][0], titles, problems, {"patient": "patient_id"}):
        label = whole_number(cells["label"])
        if label not in (0, 1, -1):
            reason = f"types {cells['label']!r} is none of 1, 0, -1"
            problems.append(Problem(row, str(sheets[0][0]), reason))
            continue
        number = cells["patient"]
        source = re.sub(r"-[^-]*$", "", cells["name"])
        known = number.lower() not in ("", "nan", "none")
        found[cells["name"].lower()] = label, f"{source}-{number}" if known else ""
    return found
