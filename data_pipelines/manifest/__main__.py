"""Make a manifest from a known layout, or check one.

python -m data_pipelines.manifest --layout=gamma --root=/data/GAMMA --out=gamma
python -m data_pipelines.manifest --layout=folder --root=mine --out=mine --mask_codes=gamma
python -m data_pipelines.manifest --check=gamma/manifest.csv
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from data_pipelines.manifest import (
    ManifestError,
    check_manifest,
    check_screening_manifest,
    errors,
    format_problems,
    read_manifest,
)
from data_pipelines.manifest.check import NEEDS
from data_pipelines.manifest.makers.folder import find_folder
from data_pipelines.manifest.makers.found import Found, parse_mask_codes
from data_pipelines.manifest.makers.gamma import find_gamma
from data_pipelines.manifest.makers.imo import find_imo
from data_pipelines.manifest.makers.make import SplitPlan, make_manifests
from data_pipelines.manifest.table import read_header

LAYOUTS = ("gamma", "imo", "folder")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.manifest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--layout", choices=LAYOUTS, help="make a manifest from this layout")
    task.add_argument("--check", metavar="FILE", type=Path, help="check this manifest")

    check = parser.add_argument_group("with --check")
    check.add_argument("--data_root", type=Path, help="where files are that are not beside it")
    check.add_argument(
        "--need", action="append", choices=sorted(NEEDS), default=None,
        help="also check that the splits and labels for this are there; may be repeated",
    )  # fmt: skip

    make = parser.add_argument_group("with --layout")
    make.add_argument("--root", type=Path, help="the data; never written to")
    make.add_argument("--out", type=Path, help="gets the manifest and the masks of ids")
    make.add_argument("--val_fraction", type=float, help="of the patients (default 0.2)")
    make.add_argument("--test_fraction", type=float, help="of the patients (default 0.2)")
    make.add_argument("--folds", type=int, help="instead: one manifest for each of so many folds")
    make.add_argument("--seed", type=int, help="of the splits (default 0)")
    make.add_argument(
        "--mask_codes", help="folder, imo: ids (default), gamma, or e.g. bg:255,rim:128,cup:0"
    )
    make.add_argument(
        "--include_unlabelled", action="store_true", default=None,
        help="gamma: also the eyes of the testing folders, in no split",
    )  # fmt: skip
    return parser


_CHECK_ONLY = ("data_root", "need")
_MAKE_ONLY = (
    "root", "out", "val_fraction", "test_fraction", "folds", "seed", "mask_codes",
    "include_unlabelled",
)  # fmt: skip


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
    if args.layout == "gamma" and args.mask_codes is not None:
        parser.error("--mask_codes does nothing with --layout=gamma: its codes are known")
    if args.layout != "gamma" and args.include_unlabelled:
        parser.error("--include_unlabelled does nothing except with --layout=gamma")
    if args.folds is not None and args.test_fraction is not None:
        parser.error("give --folds or --test_fraction: with folds each fold is the test split once")


def _check(args: argparse.Namespace) -> int:
    need = tuple(args.need or ())
    screening = "glaucoma" in read_header(args.check)
    check = check_screening_manifest if screening else check_manifest
    problems = check(args.check, args.data_root, need=need)
    print(f"{args.check}: {format_problems(problems)}")
    return 1 if errors(problems) else 0


def _find(args: argparse.Namespace) -> Found:
    if args.layout == "gamma":
        return find_gamma(args.root, bool(args.include_unlabelled))
    codes = parse_mask_codes(args.mask_codes or "ids")
    return {"imo": find_imo, "folder": find_folder}[args.layout](args.root, codes)


def _make(args: argparse.Namespace) -> int:
    given = {n: getattr(args, n) for n in ("val_fraction", "test_fraction", "folds", "seed")}
    plan = SplitPlan(**{name: value for name, value in given.items() if value is not None})
    if not args.root.is_dir():
        raise ValueError(f"--root {args.root} is no folder")
    found = _find(args)
    if args.test_fraction is not None and any(eye.split == "test" for eye in found.eyes):
        raise ValueError("--test_fraction does nothing here: the layout has its own test split")
    paths = make_manifests(args.layout, found, args.root, args.out, plan)
    if found.problems:
        print(format_problems(found.problems))
    for note in found.notes:
        print(f"note: {note}")
    for path in paths:
        print(_summary(path))
    print(f"check the files with: python -m data_pipelines.manifest --check={paths[0]}")
    return 0


def _summary(path: Path) -> str:
    """'manifest.csv: 100 eyes (train 60, val 20, test 20), 100 masks, 100 OCT, grades 0/1/2 ...'"""
    eyes = read_manifest(path).eyes
    of_split = Counter(eye.split for eye in eyes)
    counts = [
        f"{name or 'no split'} {of_split[name]}"
        for name in sorted(of_split, key=("train", "val", "test", "").index)
    ]
    masks = sum(eye.mask is not None for eye in eyes)
    scans = sum(eye.oct is not None for eye in eyes)
    grades = "/".join(str(sum(eye.grade == grade for eye in eyes)) for grade in (0, 1, 2))
    return (
        f"{path}: {len(eyes)} eyes ({', '.join(counts)}); {masks} with mask, {scans} with OCT, "
        f"grades 0/1/2: {grades}"
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
