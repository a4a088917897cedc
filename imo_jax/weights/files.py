"""State dicts from files: .npz, .safetensors, .pth/.pt/.bin. Reading never executes code."""

import pathlib
from collections.abc import Mapping

import numpy as np

from imo_jax.weights.torch_file import arrays_of, read_torch

# Under which names training scripts save the weights, the likeliest first.
WRAPPERS = ("state_dict", "model", "model_state_dict")


def read_state_dict(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Name -> array of a weights file.

    Args:
      path: `.npz` (where names begin with `param/`, only those are weights), `.safetensors`, or a
        PyTorch file (`.pth`, `.pt`, `.bin`, `.ckpt`).

    Raises:
      FileNotFoundError: no such file.
      ValueError: unknown ending, a file that holds no weights, or one that cannot be read.
    """
    path = pathlib.Path(path)
    readers = {".npz": _read_npz, ".safetensors": _read_safetensors}
    readers |= dict.fromkeys((".pth", ".pt", ".bin", ".ckpt"), _read_torch)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: a weights file ends in {', '.join(readers)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        state = reader(path)
    except Exception as error:  # each library has kinds of its own
        raise ValueError(
            f"{path}: cannot be read as weights ({type(error).__name__}: {error})"
        ) from error
    if not state:
        raise ValueError(f"{path}: holds no weights")
    return state


def _read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        prefixed = [name for name in file.files if name.startswith("param/")]
        return {name.removeprefix("param/"): file[name] for name in prefixed or file.files}


def _read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    from safetensors import numpy as safetensors_numpy

    return safetensors_numpy.load_file(path)


def _read_torch(path: pathlib.Path) -> dict[str, np.ndarray]:
    loaded = read_torch(path)
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}, not a state dict")
    return arrays_of(_unwrap(loaded))


def _unwrap(loaded: Mapping) -> Mapping:
    """The state dict inside the dicts that training scripts save around it."""
    while True:
        inner = next((loaded[k] for k in WRAPPERS if isinstance(loaded.get(k), Mapping)), None)
        if inner is None:
            return loaded
        loaded = inner
