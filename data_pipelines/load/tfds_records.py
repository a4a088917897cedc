"""Records that a TFDS builder has written: random access, bounded memory."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.load.quiet_tensorflow import import_tensorflow

# Records of a split that are kept in memory once read: all of a small set, some of a large one.
KEEP_BYTES = 256 * 2**20


def records_name(split: str) -> str:
    """TFDS's name of a split; the manifest's empty name has to be called something."""
    return split or "unsplit"


@contextlib.contextmanager
def quiet_logs() -> Iterator[None]:
    """Keeps TFDS from logging what it is about to do; errors still appear."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


class TfdsRecords(Sequence):
    """The records of one split, as the dicts that were written.

    ArrayRecord files are read one record at a time, in any order. Where the array_record package
    does not exist (TFDS asks for it on Linux only), TFRecord files are read into memory whole.
    """

    def __init__(self, folder: Path, split: str, keep: int = 0) -> None:
        """Keeps the first `keep` records in memory once they have been read."""
        _, tfds = import_tensorflow()
        with quiet_logs():
            builder = tfds.builder_from_directory(folder)
            if builder.info.file_format.value == "array_record":
                self._source = builder.as_data_source(split)
            else:
                self._source = list(tfds.as_numpy(builder.as_dataset(split=split)))
        self._keep = keep
        self._kept: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: int) -> dict[str, Any]:
        if (record := self._kept.get(i)) is None:
            record = {name: _plain(name, value) for name, value in self._source[i].items()}
            if i < self._keep:
                self._kept[i] = record
        return record


def _plain(name: str, value: Any) -> Any:
    """Python scalars and text as they were before TFDS stored them."""
    if isinstance(value, bytes):
        return value.decode() if name in ("id", "patient") else value
    return value.item() if isinstance(value, np.generic) else value
