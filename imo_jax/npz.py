"""Arrays from an `.npz`, damaged ones refused."""

import os

import numpy as np


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Every array of an `.npz` by name; nothing in it is run.

    Raises:
      OSError, ValueError, zipfile.BadZipFile, ...: it cannot be read, as numpy and zipfile say it.
      ValueError: a member that does not begin as an array does, of which numpy gives the bytes.
    """
    with np.load(path, allow_pickle=False) as file:
        found = dict(file)
    if foreign := [name for name, array in found.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"no arrays: {', '.join(foreign[:3])}; is the file damaged?")
    return found
