"""The store over a folder that a TFDS builder has prepared: random access, bounded memory."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_pipelines.load.examples import WorkingGrid
from data_pipelines.load.stores import Entry, Store
from data_pipelines.load.tfds_records import KEEP_BYTES, TfdsRecords, records_name

ENTRIES_FILE = "entries.json"


def write_entries(folder: Path, grid: WorkingGrid, entries: Mapping[str, Sequence[Entry]]) -> None:
    """Writes what TfdsStore needs besides the records."""
    content = {
        "grid": vars(grid),
        "entries": {split: [vars(entry) for entry in rows] for split, rows in entries.items()},
    }
    (folder / ENTRIES_FILE).write_text(json.dumps(content, indent=1))


def record_bytes(grid: WorkingGrid) -> int:
    """Size of a record, but for its native mask and text."""
    return 4 * grid.image_size**2 + math.prod(grid.oct_shape or (0,))


class TfdsStore(Store):
    """Examples read from a prepared folder (see builders.multimodal.prepare)."""

    def __init__(self, folder: Path, records_folder: Path) -> None:
        content = json.loads((folder / ENTRIES_FILE).read_text())
        shape = content["grid"]["oct_shape"]
        grid = WorkingGrid(**{**content["grid"], "oct_shape": tuple(shape) if shape else None})
        entries = {
            split: [Entry(**row) for row in rows] for split, rows in content["entries"].items()
        }
        keep = KEEP_BYTES // record_bytes(grid)
        records = {
            split: TfdsRecords(records_folder, records_name(split), keep)
            for split, rows in entries.items()
            if rows
        }
        super().__init__(grid, entries, records, backend="tf.data")
        self.folder = folder
