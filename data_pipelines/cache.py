"""`python -m data_pipelines.cache --list` or `--prune`: what the cache holds, and less of it."""

import argparse
import contextlib
import dataclasses
import json
import time
from pathlib import Path

from data_pipelines.builders.cache import last_used, prepared_folders, remove_unused
from data_pipelines.builders.packs import INDEX_FILE
from data_pipelines.cache_folder import CHECKED, COMPILED, EYES, VOLUMES, cache_folder

PREPARED = (EYES, VOLUMES)  # rooms of the cache that hold packs
DAY = 24 * 3600


@dataclasses.dataclass(frozen=True)
class Kept:
    """One thing in the cache that is used, and removed, as a whole.

    Attributes:
      what: of which kind it is; equal kinds are one line of the list.
      count: examples of a pack, otherwise 1.
      size: in bytes.
      used: when it was last used, in seconds since the epoch.
    """

    what: str
    count: int
    size: int
    used: float


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m data_pipelines.cache", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="show what is kept, with sizes")
    what.add_argument("--prune", action="store_true", help="remove what was not used for --days")
    parser.add_argument("--days", type=float, help="with --prune; 0 removes all (default: 30)")
    args = parser.parse_args(arguments)
    if args.days is not None and not (args.prune and args.days >= 0):
        parser.error(f"--days={args.days:g}: give 0 or more days, with --prune")
    folder = cache_folder()
    before = kept(folder)
    if args.list:
        print(table(folder, before, time.time()))
        return
    try:
        prune(folder, time.time() - DAY * (30 if args.days is None else args.days))
    except OSError as error:
        parser.error(f"cannot be removed: {error}")
    left = total(kept(folder))
    print(f"{folder}: removed {megabytes(total(before) - left)}, {megabytes(left)} are left")


def kept(folder: Path) -> list[Kept]:
    """What a cache holds: packs, compiled code, and what checks have found."""
    packs = [_pack(pack) for room in PREPARED for pack in prepared_folders(folder / room)]
    files = [Kept(what, 1, file.stat().st_size, _file_used(file)) for what, file in _files(folder)]
    return packs + files


def prune(folder: Path, before: float) -> None:
    """Removes what was last used before a time, in seconds since the epoch; nothing else there."""
    for room in PREPARED:
        remove_unused(folder / room, before)
    for _, file in _files(folder):
        if _file_used(file) < before:
            file.unlink(missing_ok=True)


def table(folder: Path, things: list[Kept], now: float) -> str:
    """A line for each kind of thing: how many, their size, and days since one of them was used."""
    lines = [f"{folder}: {megabytes(total(things))}"]
    for what in sorted({thing.what for thing in things}):
        of_kind = [thing for thing in things if thing.what == what]
        days = (now - max(thing.used for thing in of_kind)) / DAY
        count = sum(thing.count for thing in of_kind)
        size = megabytes(total(of_kind))
        lines.append(f"  {what:<44} {count:>8} {size:>12}   last used {max(days, 0):.0f} days ago")
    return "\n".join(lines)


def total(things: list[Kept]) -> int:
    """Bytes of all."""
    return sum(thing.size for thing in things)


def megabytes(size: int) -> str:
    """'12.3 MB' of a number of bytes."""
    return f"{size / 1e6:.1f} MB"


def _pack(folder: Path) -> Kept:
    what = f"{folder.parent.name}, not whole"
    count = 1
    with contextlib.suppress(OSError, ValueError, StopIteration):
        count = len(json.loads((folder / INDEX_FILE).read_text())[0])
        # builder/config/version: the config is named after the working sizes
        info = next(folder.glob("*/*/*/dataset_info.json"))
        what = f"{folder.parent.name}, {info.parents[1].name}"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Kept(what, count, size, last_used(folder))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Compiled code, and the memory of checks, with what each is."""
    files = [("compiled code", file) for file in sorted((folder / COMPILED).glob("*/*"))]
    files.append(("checked files", folder / CHECKED))
    return [(what, file) for what, file in files if file.is_file()]


def _file_used(file: Path) -> float:
    """When a file was last read or written; many systems note the first once a day."""
    status = file.stat()
    return max(status.st_atime, status.st_mtime)


if __name__ == "__main__":
    main()
