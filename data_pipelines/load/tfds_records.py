"""Records that a TFDS builder has written: random access, arrays as views of the mapped files."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.load.example_bytes import features
from data_pipelines.load.quiet_tensorflow import import_tensorflow

FILE_FORMAT = "tfrecord"  # TFDS's name of it
# A TFRecord is the length of its data, a checksum of that, the data, and their checksum.
_LENGTH, _CHECKSUM = 8, 4


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
    """The records of one split, as the dicts that were written; arrays are read-only.

    The files are mapped into memory, and arrays are views of them: a record is read by nobody but
    who copies it, by all threads at once, and stays in memory as long as the system has room.
    """

    def __init__(self, folder: Path, split: str) -> None:
        _, tfds = import_tensorflow()
        with quiet_logs():
            info = tfds.builder_from_directory(folder).info
        self._tensors = {
            name: (tensor.shape, np.dtype(tensor.np_dtype))
            for name, tensor in info.features.get_tensor_info().items()
        }
        self._records = [
            record for file in info.splits[split].filepaths for record in records_of(Path(file))
        ]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, i: int) -> dict[str, Any]:
        record = features(self._records[i])
        return {name: self._value(name, value) for name, value in record.items()}

    def _value(self, name: str, value: memoryview | list[int]) -> Any:
        """As it was before TFDS stored it: an array, bytes, or a Python number."""
        shape, dtype = self._tensors[name]
        if dtype.kind == "O":
            return bytes(value)
        if isinstance(value, memoryview):
            return np.frombuffer(value, dtype).reshape(shape)
        array = np.array(value, dtype).reshape(shape)
        return array if shape else array.item()


def records_of(file: Path) -> list[memoryview]:
    """The records of a TFRecord file, in order, as views of the file mapped into memory.

    Raises ValueError naming a file that ends within a record.
    """
    size = file.stat().st_size
    if not size:
        return []  # what is empty cannot be mapped
    places, at = [], 0
    # Lengths are read past the map: looking at each record there would bring all into memory.
    with file.open("rb", buffering=0) as lengths:
        while at < size:
            start = at + _LENGTH + _CHECKSUM
            end = start + int.from_bytes(os.pread(lengths.fileno(), _LENGTH, at), "little")
            at = end + _CHECKSUM
            if at > size:
                raise ValueError(f"{file} ends within a record; delete {file.parent}")
            places.append(slice(start, end))
    data = memoryview(np.memmap(file, np.uint8, mode="r"))
    return [data[place] for place in places]
