"""REFUGE (and what REFUGE2 adds), as the challenge's archives unpack.

| what | where | means |
|---|---|---|
| photograph | `Training400/{Glaucoma,Non-Glaucoma}/g0001.jpg` n0001, `REFUGE-Validation400/V0001.jpg`, `Test400/T0001.jpg`; or `{train,val,test}/Images/` | the letter tells the split: g and n train, V val, T test |
| mask | `Disc_Cup_Masks/.../g0001.bmp`; `gts/`, `Masks/`, `Disc_Masks/` | 255 background, 128 rim, 0 cup; the file itself decides whether the codes are the other way round |
| label | letter g or n; sheets with a column "...laucoma..." and `ImgName` | `glaucoma` 0 or 1, no grade |
"""

from __future__ import annotations

import json
from pathlib import Path

from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.masks import Coded
from data_pipelines.manifest.makers.sheets import read_columns, whole_number
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.mask_codes import MASK_CODES
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"(training400|refuge[^/]*|train|val|test)/(.*/)?(g0\d{3}|v0\d{3}|t0\d{3})\.(jpe?g)",)

_PHOTOGRAPH = r"(?P<folder>[^/]+)/(?:[^/]+/)?(?P<stem>[gnvt]\d{4})\.(?:jpe?g)"
# Where the same mask is published twice, the original comes first.
_MASKS = tuple(
    rf"{folder}/(?:[^/]+/)?(?P<stem>[gnvt]\d{{4}})\.(?:bmp|png|tiff?)"
    for folder in ("disc_cup_masks", "gts", "disc_masks?", "masks")
)
_SPLITS = {"g": "train", "n": "train", "v": "val", "t": "test"}
_NOT_WHOLE = ("square", "crop", "amd")

NOTES = [
    "REFUGE names no patients: every photograph is taken for a patient of its own.",
    "The official splits are kept, without --folds; train was taken with another camera than val and test.",
    "The label is glaucoma or not, from clinical records; it is no grade, and 'not' is not 'healthy'.",
]


def find_refuge(root: Path) -> Found:
    """Finds REFUGE's photographs under root."""
    tree, problems = Tree(root), []
    photographs = {}
    for file, match in tree.matches(_PHOTOGRAPH):
        if any(word in part.lower() for word in _NOT_WHOLE for part in file.parts[-3:-1]):
            continue
        key = match["stem"].lower()
        if key in photographs:
            reason = f"is a second photograph of {key}, beside {photographs[key]}; remove one"
            problems.append(Problem(None, str(file), reason))
        photographs.setdefault(key, file)
        if key[0] == {"glaucoma": "n", "non-glaucoma": "g"}.get(file.parent.name.lower()):
            reason = (
                f"its name says {'' if key[0] == 'g' else 'no '}glaucoma, its folder the opposite: are the "
                "classes swapped in this copy?"
            )
            problems.append(Problem(None, str(file), reason))
    if not photographs:
        looked = ("Training400/Glaucoma/g0001.jpg", "V0001.jpg", "T0001.jpg")
        return Found([], MASK_CODES["gamma"], [tree.is_missing(looked)], [])
    problems += tree.within_a_part("training400|refuge-validation400|test400")
    masks: dict[str, Path] = {}
    for pattern in _MASKS:
        masks = dict(tree.by_key(pattern, problems)) | masks
    told = _labels(tree, problems)
    by_name = {key: int(key[0] == "g") for key in photographs if key[0] in "gn"}
    for key in sorted(key for key in told if by_name.get(key, told[key]) != told[key]):
        reason = (
            f"its name says glaucoma {by_name[key]}, a sheet or index.json {told[key]}: are the labels "
            "swapped in this copy?"
        )
        problems.append(Problem(None, str(photographs[key]), reason))
    labels = told | by_name
    _report_gaps(photographs, masks, labels, problems)
    eyes = [
        Eye(key, key, _SPLITS[key[0]], file, mask=masks.get(key), glaucoma=labels.get(key))
        for key, file in sorted(photographs.items())
    ]
    codes = (MASK_CODES["gamma"], MASK_CODES["rising"], MASK_CODES["ids"])
    sources = {key: Coded(masks[key], codes) for key in photographs if key in masks}
    return Found(eyes, codes[0], problems, list(NOTES), sources)


def _labels(tree: Tree, problems: list[Problem]) -> dict[str, int]:
    """Stem -> 0 or 1, from all sheets and index.json files."""
    labels: dict[str, int] = {}
    for file, _ in tree.matches(r"[^/]*(fovea|glaucoma)[^/]*\.(xlsx|csv)"):
        found: list[Problem] = []
        rows = read_columns(file, {"name": "imgname|filename", "label": ".*laucoma.*"}, found)
        if found and "laucoma" in file.name.lower():  # A sheet of foveas alone has no labels.
            problems += found
        for row, cells in rows:
            label = whole_number(cells["label"])
            if label not in (0, 1):
                reason = f"label {cells['label']!r} of {cells['name']} is neither 0 nor 1"
                problems.append(Problem(row, str(file), reason))
                continue
            labels[Path(cells["name"]).stem.lower()] = label
    for file, _ in tree.matches(r"(train|val|test)/index\.json"):
        try:
            entries = json.loads(file.read_text("utf-8"))
            entries = entries.values() if isinstance(entries, dict) else entries
            labels |= {
                Path(entry["ImgName"]).stem.lower(): int(entry["Label"])
                for entry in entries
                if entry.get("Label") is not None
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            problems.append(Problem(None, str(file), f"is no index of REFUGE ({error})"))
    return labels


def _report_gaps(photographs, masks, labels, problems: list[Problem]) -> None:
    for key in sorted(masks.keys() - photographs.keys()):
        problems.append(Problem(None, str(masks[key]), f"is a mask without a photograph {key}.jpg"))
    for letter in "gnvt":
        of_part = [key for key in photographs if key[0] == letter]
        for what, there, looked in (
            ("mask", masks, "Disc_Cup_Masks/.../NAME.bmp"),
            ("label", labels, "Fovea_locations.xlsx or Glaucoma_label_and_Fovea_location.xlsx"),
        ):
            lacking = sorted(key for key in of_part if key not in there)
            if lacking:
                reason = (
                    f"{len(lacking)} of {len(of_part)} photographs {letter.upper()}.... have no "
                    f"{what} ({', '.join(lacking[:5])}{', ...' if len(lacking) > 5 else ''}): looked "
                    f"for {looked}"
                )
                problems.append(Problem(None, None, reason, "warning"))
