"""Tensors of a PyTorch file without PyTorch. Reading runs no code of the file.

A file is a pickle whose tensors point into raw storages beside it: since PyTorch 1.6 in a zip
archive, before that one after the other. The unpickler here knows how to rebuild a tensor; every
other class or function that a file names (settings, optimisers, whole modules) becomes an `Inert`,
an object that does nothing. So files that `torch.load(weights_only=True)` refuses are read, too.
"""

import collections
import io
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C  # with which files before PyTorch 1.6 begin
STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


class Inert:
    """Stands for whatever a file names that is no tensor: takes anything, does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


Source = Callable[[str, np.dtype, int], np.ndarray]


class _Unpickler(pickle.Unpickler):
    """Rebuilds tensors as arrays, with the storages that `source` gives."""

    def __init__(self, file: BinaryIO, source: Source) -> None:
        super().__init__(file, encoding="utf-8")
        self._source = source

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        }
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        # A class of that name, so that messages can say what the file holds.
        return known.get((module, name)) or type(name, (Inert,), {})

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"a storage of an unknown kind: {pid}")
        return self._source(key, dtype, count)


def _rebuild_tensor(
    storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray:
    if any(n < 0 for n in (offset, *size, *stride)):
        raise pickle.UnpicklingError("a tensor of negative size")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= len(storage):
        raise pickle.UnpicklingError("a tensor larger than its storage")
    steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)


def _rebuild_parameter(data: np.ndarray, *_: Any) -> np.ndarray:
    return data


def read_torch(path: str | pathlib.Path) -> Any:
    """What torch.save wrote, with arrays for tensors and `Inert`s for what is neither data.

    Raises:
      ValueError: no PyTorch file, or a damaged one.
    """
    try:
        with open(path, "rb") as file:
            loaded = _read_zip(path) if zipfile.is_zipfile(file) else _read_row(path)
    except (pickle.UnpicklingError, EOFError, zipfile.BadZipFile, KeyError, IndexError,
            AttributeError, TypeError, OverflowError, RecursionError, UnicodeDecodeError,
            struct.error) as error:  # fmt: skip
        raise ValueError(f"no PyTorch file, or a damaged one ({error})") from error
    return loaded


def _read_zip(path: str | pathlib.Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickled = [name for name in names if name.split("/")[-1] == "data.pkl"]
        if len(pickled) != 1:
            raise ValueError("a zip archive that PyTorch did not write")
        root = pickled[0].removesuffix("data.pkl")
        order = archive.read(f"{root}byteorder") if f"{root}byteorder" in names else b"little"
        stored: dict[str, np.ndarray] = {}

        def source(key: str, dtype: np.dtype, count: int) -> np.ndarray:
            if key not in stored:
                raw = np.frombuffer(archive.read(f"{root}data/{key}"), dtype, count)
                stored[key] = raw.byteswap() if order == b"big" else raw
            return stored[key]

        return _Unpickler(io.BytesIO(archive.read(pickled[0])), source).load()


def _read_row(path: str | pathlib.Path) -> Any:
    """Pickles of a magic number, a version, the machine, the object and the storages' keys, then
    each storage's length and numbers."""
    with open(path, "rb") as file:

        def load(source: Source = _no_storage) -> Any:
            return _Unpickler(file, source).load()

        if load() != MAGIC:
            raise pickle.UnpicklingError("a pickle that PyTorch did not write")
        load(), load()
        # Filled below: the object comes first, and its arrays are views.
        stored: dict[str, np.ndarray] = {}

        def source(key: str, dtype: np.dtype, count: int) -> np.ndarray:
            if count * dtype.itemsize > path_size:
                raise pickle.UnpicklingError("a storage larger than the file")
            return stored.setdefault(key, np.zeros(count, dtype))

        path_size = pathlib.Path(path).stat().st_size
        loaded, keys = load(source), load()
        for key in keys:
            (count,) = np.frombuffer(file.read(8), "<i8")
            array = stored[key]
            array[:] = np.frombuffer(file.read(int(count) * array.itemsize), array.dtype)
        return loaded


def _no_storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
    raise pickle.UnpicklingError("a storage where none belongs")


def arrays_of(loaded: Mapping) -> dict[str, np.ndarray]:
    """The arrays among a mapping's values; bfloat16 and float16 as float32."""
    found = {str(name): v for name, v in loaded.items() if isinstance(v, np.ndarray)}
    narrow = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
    return {name: a.astype(np.float32) if a.dtype in narrow else a for name, a in found.items()}
