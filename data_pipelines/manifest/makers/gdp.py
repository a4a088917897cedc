"""Harvard-GDP (GDP1000), where its B-scans are there: OCT volumes with class and mean deviation.

| what | where | means |
|---|---|---|
| volume | `Bscan/data_0001.npz`, array `bscans` | B-scans first; read in place, as `data_0001.npz#bscans` |
| class, MD | `glaucoma`, `md` of the same file, of `RNFLT/data_0001.npz`, or of `ReadMe/data_summary.csv` | 0 or 1; dB; there is neither VFI nor PSD |
"""

from __future__ import annotations

from pathlib import Path

from data_pipelines.manifest.makers import harvard
from data_pipelines.manifest.makers.found import FoundVolumes
from data_pipelines.manifest.makers.swapped import swapped_classes
from data_pipelines.manifest.makers.tree import Tree
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.screening import ScreeningVolume

SIGNATURE = (r"b-?scans?/data_\d{4}\.npz", r"rnflt(_maps)?/data_\d{4}\.npz")

_VOLUME = r"b-?scans?/(?P<stem>data_\d{4})\.npz"
_MAP = r"rnflt(?:_maps)?/(?P<stem>data_\d{4})\.npz"
ARRAY = "bscans"

NOTES = [
    *harvard.NOTES,
    "No official split: it is drawn. Progression, told of the first 500, is not read.",
]


def find_gdp(root: Path) -> FoundVolumes:
    """Finds the volumes of Harvard-GDP."""
    tree, problems = Tree(root), []
    maps = tree.by_key(_MAP, problems)
    files = tree.by_key(_VOLUME, problems)
    if not files:
        missing = tree.is_missing(["Bscan/data_0001.npz"])
        if maps:
            reason = f"{missing.reason}; maps of thickness (RNFLT) alone are no volumes"
            missing = Problem(None, missing.file, reason)
        return FoundVolumes([], [missing], [])
    summary = harvard.read_summary(tree, problems)
    volumes = []
    for stem, file in sorted(files.items()):
        values = harvard.read_scalars(file, ARRAY, problems)
        if values is None:
            continue
        beside = maps.get(stem)
        of_map = None if beside is None else harvard.read_scalars(beside, None, problems)
        told = (of_map or {}) | values
        volume = _volume(stem, file, told, summary.get(stem, {}), problems)
        volumes += [] if volume is None else [volume]
    problems += swapped_classes(volumes)
    told = summary.keys() | maps.keys()
    problems += harvard.without_volume(told, files.keys(), "the summary and RNFLT")
    return FoundVolumes(volumes, problems, [*NOTES, *harvard.circular_notes(volumes)])


def _volume(stem: str, file: Path, told: dict, row: dict, problems: list[Problem]):
    label = told.get("glaucoma", row.get("glaucoma"))
    glaucoma = harvard.glaucoma_of(label, row, file, problems)
    if glaucoma is None:
        return None
    if len(told["shape"]) != 3 or 0 in told["shape"]:
        reason = f"its array {ARRAY} has shape {told['shape']}, not (slices, depth, width)"
        problems.append(Problem(None, str(file), reason))
        return None
    md = harvard.decibel(told.get("md", row.get("md")), file, problems)
    volume = file.with_name(f"{file.name}#{ARRAY}")
    return ScreeningVolume(stem, stem, "OD", "1", "", volume, glaucoma, md=md)
