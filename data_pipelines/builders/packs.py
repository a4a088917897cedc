"""Prepared examples in packs: each is found by a key of its own, whatever set it belongs to.

A pack is a folder of TFDS records, written whole or not at all. Folds of one set, sets that share
eyes, a set with one more eye or with other labels all find what was prepared before: only what no
pack holds is prepared, in new packs, so that a preparation that is stopped
goes on after the last whole pack. A pack is small enough for TFDS to sort it in memory.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data_pipelines.builders.cache import is_whole, mark_used, prepared_folder
from data_pipelines.builders.records import records_folder
from data_pipelines.load.tfds_records import TfdsRecords

INDEX_FILE = "index.json"
SPLIT = "examples"  # the one split of a pack
PACK = 256  # examples
PACK_BYTES = 2**29


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a prepared example lies.

    Attributes:
      folder: of its pack.
      start, count: its records there.
      about: what was said of it when it was written.
    """

    folder: Path
    start: int
    count: int
    about: Any


# (number of records, what JSON can hold) of each example that was written.
Written = list[tuple[int, Any]]
# folder, positions of the examples, how many were written before, how many there are in all
Write = Callable[[Path, list[int], int, int], Written]


def prepared(
    cache_dir: Path,
    keys: Sequence[str],
    write: Write,
    example_bytes: int,
) -> list[Place]:
    """The place of each example, after preparing those that no pack holds.

    Args:
      cache_dir: where the packs lie; it may be deleted at any time.
      keys: one an example; it changes with everything that the prepared example depends on.
      write: writes the records of some of the examples, in order, into a folder.
      example_bytes: about so many a prepared example takes.

    Raises what `write` raises; then the pack that was being written is not kept.
    """
    places = index(cache_dir)
    missing = list(dict.fromkeys(key for key in keys if key not in places))
    position = {key: i for i, key in enumerate(keys)}
    size = min(PACK, max(1, PACK_BYTES // example_bytes))
    for start in range(0, len(missing), size):
        chunk = missing[start : start + size]

        def write_pack(folder: Path, chunk: list[str] = chunk, start: int = start) -> None:
            positions = [position[key] for key in chunk]
            written = write(folder, positions, start, len(missing))
            (folder / INDEX_FILE).write_text(json.dumps([chunk, written]))

        name = hashlib.sha256("".join(chunk).encode()).hexdigest()[:24]
        places |= _places(prepared_folder(cache_dir, name, write_pack))
    found = [places[key] for key in keys]
    for folder in {place.folder for place in found}:
        mark_used(folder)
    return found


def index(cache_dir: Path) -> dict[str, Place]:
    """Key -> place of every example in the whole packs of a cache."""
    found: dict[str, Place] = {}
    for file in sorted(cache_dir.glob(f"*/{INDEX_FILE}")):
        if is_whole(file.parent):
            found |= _places(file.parent)
    return found


def _places(folder: Path) -> dict[str, Place]:
    keys, written = json.loads((folder / INDEX_FILE).read_text())
    places, start = {}, 0
    for key, (count, about) in zip(keys, written, strict=True):
        places[key] = Place(folder, start, count, about)
        start += count
    return places


class PackReader:
    """Reads records of packs in any order; each pack is opened once."""

    def __init__(self) -> None:
        self._packs: dict[Path, TfdsRecords] = {}

    def records(self, place: Place) -> "PackedRecords":
        """The records of one example."""
        if place.folder not in self._packs:
            self._packs[place.folder] = TfdsRecords(records_folder(place.folder), SPLIT)
        return PackedRecords(self._packs[place.folder], place)


class PackedRecords(Sequence):
    """The records of one example, as the dicts that were written; arrays are read-only."""

    def __init__(self, pack: TfdsRecords, place: Place) -> None:
        self._pack, self._place = pack, place

    def __len__(self) -> int:
        return self._place.count

    def __getitem__(self, i: int) -> dict[str, Any]:
        if not 0 <= i < self._place.count:
            raise IndexError(f"no record {i} of {self._place.count}")
        return self._pack[self._place.start + i]
