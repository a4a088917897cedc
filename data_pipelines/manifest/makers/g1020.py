"""G1020: photographs of which a quarter have no visible cup.

| what | where | means |
|---|---|---|
| photograph | `Images/image_0.jpg` | |
| outlines | `Images/image_0.json` (LabelMe: `disc`, `cup`), or `Masks/image_0.png` (0, 1 rim, 2 cup) | **no cup is not "no cup"**: the inside of the disc is then 255, ignored, but for a thin ring of rim |
| label | `G1020.csv`: `imageID`, `binaryLabels` | `glaucoma` 0 or 1 |
"""

from __future__ import annotations

from pathlib import Path

from data_pipelines.bad_file import BadFile
from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.label_me import read_polygons
from data_pipelines.manifest.makers.masks import Coded, Outlines
from data_pipelines.manifest.makers.sheets import read_columns, whole_number
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.mask_codes import MASK_CODES
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"images/image_\d+\.json", r"g1020\.csv")

NOTES = [
    "The cup is not marked in photographs where it cannot be seen: there the inside of the disc is "
    "ignored (255) but for its outermost ring, which is rim. Evaluation scores the disc of these "
    "eyes alone, as a whole: no Dice of cup and rim, no cup-to-disc ratio.",
    "432 people, none told: neighbouring numbers may be of one person, and in two splits.",
]


def find_g1020(root: Path) -> Found:
    """Finds G1020."""
    tree, problems = Tree(root), []
    photographs = tree.by_key(r"images/(?P<stem>image_\d+)\.(?:jpe?g|png)", problems)
    if not photographs:
        return Found([], {}, [tree.is_missing(["Images/image_0.jpg"])], [])
    outlines = tree.by_key(r"images/(?P<stem>image_\d+)\.json", problems)
    masks = tree.by_key(r"masks/(?P<stem>image_\d+)\.png", problems)
    labels = _labels(tree, problems)
    eyes, sources, lacking = [], {}, []
    for key, file in sorted(photographs.items()):
        eyes.append(Eye(key, key, "", file, glaucoma=labels.get(key)))
        source = _source(outlines.get(key), masks.get(key), problems)
        if source is None:
            lacking.append(key)
        else:
            sources[key] = source
    if lacking:
        reason = (
            f"{len(lacking)} of {len(eyes)} photographs have no disc in image_N.json or Masks/: "
        )
        problems.append(Problem(None, None, reason + ", ".join(lacking[:5]), "warning"))
    return Found(eyes, MASK_CODES["ids"], problems, list(NOTES), sources)


def _source(outline: Path | None, mask: Path | None, problems: list[Problem]):
    if outline is not None:
        try:
            shapes = read_polygons(outline)
        except BadFile as error:
            problems.append(Problem(None, error.path, error.reason))
            return None
        discs, cups = shapes.get("disc", [])[:1], shapes.get("cup", [])[:1]
        return Outlines(discs, cups) if discs else None
    if mask is not None:
        codes = (MASK_CODES["ids"], MASK_CODES["rising"])
        return Coded(mask, codes, no_cup_is_unmarked=True)
    return None


def _labels(tree: Tree, problems: list[Problem]) -> dict[str, int]:
    sheets = tree.matches(r"g1020\.csv")
    if not sheets:
        reason = "has no G1020.csv: no eye gets a label"
        problems.append(Problem(None, str(tree.root), reason, "warning"))
        return {}
    found = {}
    rows = read_columns(sheets[0][0], {"name": "imageid", "label": "binarylabels"}, problems)
    for row, cells in rows:
        label = whole_number(cells["label"])
        if label not in (0, 1):
            reason = f"binaryLabels {cells['label']!r} is neither 0 nor 1"
            problems.append(Problem(row, str(sheets[0][0]), reason))
            continue
        found[Path(cells["name"]).stem.lower()] = label
    return found
