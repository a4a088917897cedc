"""Records that a TFDS builder has written: random access, bounded memory."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.load.quiet_tensorflow import import_tensorflow

# What of a split is kept in memory once read: all of a small set, some of a large one.
KEEP_BYTES = 256 * 2**20


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

    def __init__(self, folder: Path, split: str) -> None:
        _, tfds = import_tensorflow()
        with quiet_logs():
            builder = tfds.builder_from_directory(folder)
            if builder.info.file_format.value == "array_record":
                self._source = builder.as_data_source(split)
            else:
                self._source = list(tfds.as_numpy(builder.as_dataset(split=split)))

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: int) -> dict[str, Any]:
        # Python scalars as they were before TFDS stored them.
        return {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self._source[i].items()
        }
