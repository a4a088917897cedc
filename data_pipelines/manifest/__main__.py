"""Make a manifest from a known layout, or check one.

python -m data_pipelines.manifest --layout=auto --root=/data/REFUGE --out=eyes
python -m data_pipelines.manifest --layout=papila --root=/data/PAPILA --out=eyes --append
python -m data_pipelines.manifest --layout=gamma --root=/data/GAMMA --out=gamma
python -m data_pipelines.manifest --layout=folder --root=mine --out=mine --mask_codes=gamma
python -m data_pipelines.manifest --layout=cubes --root=/data/zenodo --out=zenodo
python -m data_pipelines.manifest --check=gamma/manifest.csv
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.manifest import (
    ManifestError,
    check_manifest,
    check_screening_manifest,
    errors,
    format_problems,
    multimodal,
    read_manifest,
    read_screening_manifest,
    screening,
)
from data_pipelines.manifest.check import NEEDS
from data_pipelines.manifest.makers.append import check_append
from data_pipelines.manifest.makers.cubes import (
    DEFAULT_PATTERN,
    GLAUCOMA_WORDS,
    NORMAL_WORDS,
)
from data_pipelines.manifest.makers.layouts import LAYOUTS, recognise
from data_pipelines.manifest.makers.make import make_manifests, make_screening_manifests
from data_pipelines.manifest.makers.masks import AGREEMENTS
from data_pipelines.manifest.makers.plan import SplitPlan
from data_pipelines.manifest.makers.rim_one import PARTITIONS
from data_pipelines.manifest.mask_codes import parse_mask_codes
from data_pipelines.manifest.table import read_header

AUTO = "auto"


def _having(option: str) -> str:
    """The layouts that have an option, in words."""
    return ", ".join(name for name, layout in LAYOUTS.items() if option in layout.options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.manifest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--layout", choices=(AUTO, *LAYOUTS), help="make a manifest from this layout")
    task.add_argument("--check", metavar="FILE", type=Path, help="check this manifest")

    check = parser.add_argument_group("with --check")
    check.add_argument("--data_root", type=Path, help="where files are that are not beside it")
    check.add_argument(
        "--need", action="append", choices=sorted(NEEDS), default=None,
        help="also check that the splits and labels for this are there; may be repeated",
    )  # fmt: skip
    check.add_argument(
        "--no_surrogates", action="store_true", default=None,
        help="screening: no visual field will be borrowed, so that no class needs a donor",
    )  # fmt: skip

    make = parser.add_argument_group("with --layout")
    make.add_argument("--root", type=Path, help="the data; never written to")
    make.add_argument("--out", type=Path, help="gets the manifest and the masks of ids")
    make.add_argument("--val_fraction", type=float, help="of the patients (default 0.2)")
    make.add_argument("--test_fraction", type=float, help="of the patients (default 0.2)")
    make.add_argument("--folds", type=int, help="instead: one manifest for each of so many folds")
    make.add_argument("--seed", type=int, help="of the splits (default 0)")
    make.add_argument(
        "--mask_codes", help="folder, imo: ids (default), gamma, or e.g. bg:255,rim:128,cup:0, or "
        "bg:0,disc:255 where the disc alone is marked",
    )  # fmt: skip
    make.add_argument(
        "--include_unlabelled", action="store_true", default=None,
        help="gamma: also the eyes of the testing folders, in no split",
    )  # fmt: skip
    make.add_argument(
        "--append", action="store_true", default=None,
        help="add this set to the manifest in --out; ids are prefixed with its source",
    )  # fmt: skip
    make.add_argument("--source", help="name of this set in the column 'source' (default: layout)")
    make.add_argument(
        "--agreement", choices=AGREEMENTS,
        help=f"of several readers, with {_having('agreement')}: the first's mask, what most, all or "
        "any have marked, or 'disputed': 255 where they differ",
    )  # fmt: skip
    make.add_argument(
        "--suspects", choices=("empty", "drop", "glaucoma"),
        help=f"{_having('suspects')}: leave their labels empty (default), leave them out, or call "
        "them glaucoma",
    )  # fmt: skip
    make.add_argument(
        "--partition",
        choices=tuple(PARTITIONS),
        help="rim_one: of the two published (default hospital)",
    )
    make.add_argument(
        "--by_patient", action="store_true", default=None,
        help=f"{_having('by_patient')}: draw splits by patient instead of the official ones",
    )  # fmt: skip
    make.add_argument(
        "--pattern",
        help="cubes: regular expression in each file's path, with the groups patient and label, "
        f"and optionally eye, visit, vfi, md, psd (default {DEFAULT_PATTERN})".replace("%", "%%"),
    )
    for name, words in (("glaucoma", GLAUCOMA_WORDS), ("normal", NORMAL_WORDS)):
        make.add_argument(
            f"--{name}_words", help=f"cubes: labels that say {name} (default {','.join(words)})"
        )
    return parser


_CHECK_ONLY = ("data_root", "need", "no_surrogates")
_MAKE_ONLY = (
    "root", "out", "val_fraction", "test_fraction", "folds", "seed", "mask_codes",
    "include_unlabelled", "pattern", "glaucoma_words", "normal_words", "append", "source",
    "agreement", "suspects", "partition", "by_patient",
)  # fmt: skip
# Options of some layouts, and how a maker calls them.
_LAYOUT_ONLY = {
    "mask_codes": "codes",
    "include_unlabelled": "include_unlabelled",
    "pattern": "pattern",
    "glaucoma_words": "glaucoma_words",
    "normal_words": "normal_words",
    "agreement": "agreement",
    "suspects": "suspects",
    "partition": "partition",
    "by_patient": "by_patient",
}


def _refuse_idle_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """An option that would do nothing is a mistake."""
    idle = _MAKE_ONLY if args.check is not None else _CHECK_ONLY
    for name in idle:
        if getattr(args, name) is not None:
            parser.error(f"--{name} does nothing with --{'check' if args.check else 'layout'}")
    if args.layout is None:
        return
    if args.root is None or args.out is None:
        parser.error("--layout needs --root and --out")
    for name, option in _LAYOUT_ONLY.items():
        layouts = [key for key, layout in LAYOUTS.items() if option in layout.options]
        if getattr(args, name) is not None and args.layout not in (AUTO, *layouts):
            parser.error(f"--{name} does nothing except with --layout={' or '.join(layouts)}")
    if args.append and args.folds is not None:
        parser.error("--append adds to manifest.csv; folds have a manifest each")
    if args.folds is not None and args.test_fraction is not None:
        parser.error("give --folds or --test_fraction: with folds each fold is the test split once")


def _check(args: argparse.Namespace) -> int:
    need = tuple(args.need or ())
    if _is_screening(args.check):
        problems = check_screening_manifest(
            args.check, args.data_root, need=need, surrogates=not args.no_surrogates, say=print
        )
    elif args.no_surrogates:
        raise ValueError("--no_surrogates does nothing: this is no screening manifest")
    else:
        problems = check_manifest(args.check, args.data_root, need=need, say=print)
    print(f"{args.check}: {format_problems(problems)}")
    if errors(problems):
        return 1
    if not need:
        print("(its rows and files; --need=train asks for the splits and labels of a training, too)")
    return 0


def _is_screening(path: Path) -> bool:
    """Whether a file's header is more like that of a screening manifest."""
    header = set(read_header(path))
    may_be_either = set(screening.COLUMNS) & {*multimodal.COLUMNS, *multimodal.OPTIONAL}
    only_screening = header & (set(screening.COLUMNS) - may_be_either)
    only_multimodal = header & (set(multimodal.COLUMNS) - may_be_either)
    return len(only_screening) > len(only_multimodal)


def _options(args: argparse.Namespace, layout: str) -> dict:
    """What the layout's maker is given beside root."""
    given = {}
    for name, option in _LAYOUT_ONLY.items():
        value = getattr(args, name)
        if value is not None and option not in LAYOUTS[layout].options:
            raise ValueError(f"--{name} does nothing with the layout {layout}, which is here")
        if value is not None:
            given[option] = value
    for words in ("glaucoma_words", "normal_words"):
        if words in given:
            given[words] = tuple(word.strip() for word in given[words].split(","))
    if "codes" in LAYOUTS[layout].options:
        given["codes"] = parse_mask_codes(given.get("codes", "ids"))
    return given


def _make(args: argparse.Namespace) -> int:
    given = {n: getattr(args, n) for n in ("val_fraction", "test_fraction", "folds", "seed")}
    plan = SplitPlan(**{name: value for name, value in given.items() if value is not None})
    if not args.root.is_dir():
        raise ValueError(f"--root {args.root} is no folder")
    name = recognise(args.root) if args.layout == AUTO else args.layout
    layout = LAYOUTS[name]
    if args.layout == AUTO:
        print(f"{args.root}: the layout is {name}")
    append = check_append(args.out, name, layout) if args.append else None
    found = layout.find(args.root, **_options(args, name))
    _refuse_idle_fractions(args, found.volumes if layout.screening else found.eyes)
    make = make_screening_manifests if layout.screening else make_manifests
    paths = make(name, found, args.root, args.out, plan, source=args.source, append=append)
    summary = _summary_of_volumes if layout.screening else _summary_of_eyes
    if found.problems:
        print(format_problems(found.problems))
    for note in found.notes:
        print(f"note: {note}")
    for path in paths:
        print(f"{path}: {summary(path)}")
    print(f"check the files with: python -m data_pipelines.manifest --check={paths[0]}")
    return 0


def _refuse_idle_fractions(args: argparse.Namespace, items: Sequence) -> None:
    for split in () if args.folds else ("test", "val"):
        given = getattr(args, f"{split}_fraction") is not None
        if given and any(item.split == split for item in items):
            reason = f"the layout has its own {split} split"
            raise ValueError(f"--{split}_fraction does nothing here: {reason}")


def _splits(items: Sequence) -> str:
    """'train 60, val 20, test 20'."""
    of_split = Counter(item.split for item in items)
    ordered = sorted(of_split, key=("train", "val", "test", "").index)
    return ", ".join(f"{name or 'no split'} {of_split[name]}" for name in ordered)


def _summary_of_eyes(path: Path) -> str:
    """'100 eyes (train 60, val 20, test 20); 100 with mask, 100 with OCT, grades: normal 50, ...'"""
    manifest = read_manifest(path)
    eyes = manifest.eyes
    masks = sum(eye.mask is not None for eye in eyes)
    scans = sum(eye.oct is not None for eye in eyes)
    grades = ", ".join(
        f"{name} {sum(eye.grade == k for eye in eyes)}"
        for k, name in enumerate(manifest.grade_names)
    )
    classes = "/".join(str(sum(eye.glaucoma == label for eye in eyes)) for label in (0, 1))
    return (
        f"{len(eyes)} eyes ({_splits(eyes)}); {masks} with mask, {scans} with OCT, "
        f"grades: {grades}"
    ) + (f"; glaucoma no/yes: {classes}" if classes != "0/0" else "")


def _summary_of_volumes(path: Path) -> str:
    """'1110 volumes (train ...) of 624 patients; normal/glaucoma: 263/847, 0 with visual field'"""
    volumes = read_screening_manifest(path).volumes
    patients = len({volume.patient for volume in volumes})
    classes = "/".join(str(sum(v.glaucoma == label for v in volumes)) for label in (0, 1))
    indices = {n: sum(getattr(v, n) is not None for v in volumes) for n in screening.POSSIBLE}
    fields = ", ".join(f"{count} with {name}" for name, count in indices.items() if count)
    return (
        f"{len(volumes)} volumes ({_splits(volumes)}) of {patients} patients; "
        f"normal/glaucoma: {classes}, {fields or '0 with visual field'}"
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the tool; returns 0, or 1 where something is wrong with the input."""
    parser = _parser()
    args = parser.parse_args(argv)
    _refuse_idle_options(parser, args)
    try:
        return _check(args) if args.check is not None else _make(args)
    except ManifestError as error:
        print(format_problems(error.problems), file=sys.stderr)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
