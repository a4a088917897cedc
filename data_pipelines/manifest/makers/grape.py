"""GRAPE: its pictures of the disc ("ROI images") with their outlines.

| what | where | means |
|---|---|---|
| picture | `ROI images/1_OD_1.jpg` | subject, eye, visit. Not `CFPs/`: where the outlines lie in the whole photograph is not published |
| outlines | `json/1_OD_1.json` (LabelMe: `OD` is the optic disc, `OC` the cup) | in pixels of the ROI image |
"""

from __future__ import annotations

from pathlib import Path

from data_pipelines.bad_file import BadFile
from data_pipelines.manifest.makers.found import Found
from data_pipelines.manifest.makers.label_me import read_polygons
from data_pipelines.manifest.makers.masks import Outlines
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.multimodal import Eye
from data_pipelines.manifest.problems import Problem

SIGNATURE = (r"(roi images|cfps)/\d+_o[ds]_\d+\.jpe?g",)

_STEM = r"(?P<stem>(?P<subject>\d+)_(?P<eye>o[ds])_(?P<visit>\d+))"
NOTES = [
    "Crops around the disc, since the outlines are given in them; whole photographs are not read.",
    "Everybody has glaucoma and no mean deviation is published: masks only, no label, no grade.",
    "Several visits of an eye are there; a person stays in one split.",
]


def find_grape(root: Path) -> Found:
    """Finds GRAPE's crops."""
    tree, problems = Tree(root), []
    crops = tree.matches(rf"roi images/(?:[^/]+/)?{_STEM}\.(?:jpe?g|png)")
    if not crops:
        looked = ["ROI images/1_OD_1.jpg (of 'ROI images.rar'; CFPs alone do not fit the outlines)"]
        return Found([], {}, [tree.is_missing(looked)], [])
    outlines = tree.by_key(rf"json/(?:[^/]+/)?{_STEM}\.json", problems)
    eyes, sources, lacking = [], {}, []
    for file, match in sorted(crops, key=lambda crop: crop[1]["stem"]):
        name, patient = match["stem"].upper(), match["subject"]
        eyes.append(Eye(name, patient, "", file, eye=match["eye"].upper()))
        source = _source(outlines.get(name.lower()), problems)
        if source is None:
            lacking.append(name)
        else:
            sources[name] = source
    if lacking:
        reason = f"{len(lacking)} of {len(eyes)} pictures have no outline OD in json/NAME.json: "
        problems.append(Problem(None, None, reason + ", ".join(lacking[:5]), "warning"))
    return Found(eyes, {}, problems, list(NOTES), sources)


def _source(outline: Path | None, problems: list[Problem]) -> Outlines | None:
    try:
        shapes = {} if outline is None else read_polygons(outline)
    except BadFile as error:
        problems.append(Problem(None, error.path, error.reason))
        return None
    discs, cups = shapes.get("od", [])[:1], shapes.get("oc", [])[:1]
    return Outlines(discs, cups) if discs else None
