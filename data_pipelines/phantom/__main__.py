"""`python -m data_pipelines.phantom --out=DIR`: make a phantom data set, report on it, show it."""

import argparse
import pathlib
import sys

from data_pipelines.phantom import contact_sheet
from data_pipelines.phantom.dataset import make_phantom
from data_pipelines.phantom.report import report


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m data_pipelines.phantom", description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, help="folder to make")
    parser.add_argument("--eyes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--val_fraction", type=float, default=0.1, help="of the patients")
    parser.add_argument("--test_fraction", type=float, default=0.3, help="of the patients")
    parser.add_argument("--visits", type=int, default=1, help="visits of each eye")
    parser.add_argument(
        "--volumes_per_visit", type=int, default=1, help="OCT volumes of each visit"
    )
    parser.add_argument(
        "--hidden_fraction", type=float, default=0.316,
        help="of the training visits whose visual field screening.csv withholds",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=None, help="processes (default: processors)")
    parser.add_argument("--report", action="store_true", help="compare with real figures")
    parser.add_argument("--contact_sheet", type=pathlib.Path, help="picture (PNG) to draw")
    parser.add_argument("--real_fundus", type=pathlib.Path, help="photograph to show beside")
    parser.add_argument("--real_bscan", type=pathlib.Path, help="B-scan to show beside")
    args = parser.parse_args(arguments)
    if not (args.out or args.report or args.contact_sheet):
        parser.error("nothing to do: give --out=DIR, --report or --contact_sheet=FILE")
    if args.out:
        _make(parser, args)
    if args.report:
        print(report(args.seed))
    if args.contact_sheet:
        contact_sheet.save(args.contact_sheet, args.seed, args.real_fundus, args.real_bscan)


def _make(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    try:
        make_phantom(
            args.out,
            eyes=args.eyes,
            seed=args.seed,
            val_fraction=args.val_fraction,
            test_fraction=args.test_fraction,
            workers=args.workers,
            visits=args.visits,
            volumes_per_visit=args.volumes_per_visit,
            hidden_fraction=args.hidden_fraction,
            progress=_show if sys.stderr.isatty() else None,
        )
    except (ValueError, FileExistsError) as error:
        parser.error(str(error))
    print(f"{args.out}: {args.eyes} eyes")


def _show(done: int, total: int) -> None:
    print(f"\r{done}/{total} eyes", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
