"""The layouts that a manifest can be made from, by name; and which of them a folder holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from data_pipelines.manifest.makers import (
    chaksu,
    drishti,
    g1020,
    gdp,
    grape,
    harvard,
    origa,
    papila,
    refuge,
    rim_one,
    smdg,
)
from data_pipelines.manifest.makers.cubes import find_cubes
from data_pipelines.manifest.makers.folder import find_folder
from data_pipelines.manifest.makers.gamma import find_gamma
from data_pipelines.manifest.makers.imo import find_imo
from data_pipelines.manifest.makers.tree import Tree


@dataclasses.dataclass(frozen=True)
class Layout:
    """How one set is read.

    Attributes:
      find: (root, **options) -> Found or FoundVolumes.
      signature: patterns of `Tree.matches`; a folder that has a file of any holds this layout.
      options: of the command, that `find` takes.
      screening: whether it gives OCT volumes, for the screening manifest.
      repeats: layouts whose photographs or people are in this one, too.
    """

    find: Callable
    signature: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    screening: bool = False
    repeats: tuple[str, ...] = ()


LAYOUTS = {
    "refuge": Layout(refuge.find_refuge, refuge.SIGNATURE),
    "papila": Layout(papila.find_papila, papila.SIGNATURE, ("agreement", "suspects")),
    "drishti": Layout(drishti.find_drishti, drishti.SIGNATURE, ("agreement", "by_patient")),
    "rim_one": Layout(rim_one.find_rim_one, rim_one.SIGNATURE, ("partition", "by_patient")),
    "chaksu": Layout(chaksu.find_chaksu, chaksu.SIGNATURE, ("agreement", "suspects")),
    "origa": Layout(origa.find_origa, origa.SIGNATURE),
    "g1020": Layout(g1020.find_g1020, g1020.SIGNATURE),
    "grape": Layout(grape.find_grape, grape.SIGNATURE),
    "smdg": Layout(
        smdg.find_smdg,
        smdg.SIGNATURE,
        ("suspects",),
        repeats=("refuge", "drishti", "origa", "g1020", "papila"),
    ),
    "gdp": Layout(gdp.find_gdp, gdp.SIGNATURE, screening=True, repeats=("harvard",)),
    "harvard": Layout(harvard.find_harvard, harvard.SIGNATURE, screening=True),
    "gamma": Layout(
        find_gamma,
        (r"multi-modality_images/\d+/\d+\.(jpe?g|png)", r"disc_cup_masks?/\d{4}\.png"),
        ("include_unlabelled",),
    ),
    "imo": Layout(find_imo, (r"(train|test)/vi/[^/]+\.\w+",), ("codes",)),
    "cubes": Layout(
        find_cubes,
        (r"(poag|normal)-\d+-\d{4}-\d{2}-\d{2}-o[ds]\.npy",),
        ("pattern", "glaucoma_words", "normal_words"),
        screening=True,
    ),
    "folder": Layout(find_folder, (), ("codes", "agreement")),
}


def recognise(root: Path) -> str:
    """The layout that a folder holds.

    Raises ValueError where it holds none, or several.
    """
    tree = Tree(root)
    found = [
        name
        for name, layout in LAYOUTS.items()
        if any(tree.matches(pattern) for pattern in layout.signature)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"{root} holds several layouts, {', '.join(found)}: give each its own --root, or say "
            "--layout=NAME"
        )
    if tree.matches(r"images/[^/]+\.\w+"):
        return "folder"
    raise ValueError(
        f"{root} holds no layout that is known ({', '.join(LAYOUTS)}); there is {tree.tops}. "
        "--layout=NAME says which files of a set are looked for; eyes of your own go into images/, "
        "masks/ and oct/ for --layout=folder"
    )
