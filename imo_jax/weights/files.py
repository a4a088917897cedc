"""State dicts from files: .npz, .safetensors, .pth/.pt/.bin. Reading never executes code."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from imo_jax.npz import read_npz
from imo_jax.weights.torch_file import Inert, arrays_of, read_torch

# Under which names training scripts save the weights, those first that they would evaluate.
WRAPPERS = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model",
    "model_state_dict", "model_state", "teacher", "student", "module", "net", "network",
    "weights", "params", "encoder", "backbone",
)  # fmt: skip
# How files begin that people take for weights, and what to do about each.
FOREIGN = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: git lfs pull gets it"),
    (b"<", "a web page or XML, not the download itself: open it to see what the site says"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file, as Keras writes: only PyTorch's layouts are known"),
    (b"\x93NUMPY", "a single NumPy array (.npy)"),
)


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
    if (foreign := _foreign(path)) is not None:
        raise ValueError(f"{path}: is {foreign}")
    try:
        state = reader(path)
    except Exception as error:  # each library has kinds of its own
        raise ValueError(
            f"{path}: cannot be read as weights ({type(error).__name__}: {error})"
        ) from error
    if not state:
        raise ValueError(f"{path}: holds no weights")
    if broken := [name for name, array in state.items() if not _is_finite(array)]:
        some = ", ".join(broken[:3]) + (", ..." if len(broken) > 3 else "")
        raise ValueError(f"{path}: {len(broken)} arrays hold NaN or infinity: {some}")
    return state


def _foreign(path: pathlib.Path) -> str | None:
    """What a file is in words, if its beginning is that of no weights; None = it may be weights."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "empty"
    if start[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((words for begin, words in FOREIGN if text.startswith(begin)), None)


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    state = read_npz(path)
    prefixed = [name for name in state if name.startswith("param/")]
    return {name.removeprefix("param/"): state[name] for name in prefixed or state}


def _read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    from safetensors import numpy as safetensors_numpy

    return safetensors_numpy.load_file(path)


def _read_torch(path: pathlib.Path) -> dict[str, np.ndarray]:
    loaded = read_torch(path)
    if isinstance(loaded, Inert):
        raise ValueError(
            f"it holds a whole {type(loaded).__name__}, not a state dict: save model.state_dict()"
        )
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}, not a state dict")
    return arrays_of(_unwrap(loaded))


def _unwrap(loaded: Mapping) -> Mapping:
    """The state dict inside the dicts that training scripts save around it.

    Raises:
      ValueError: there are several dicts of arrays, none under a name of WRAPPERS.
    """
    while True:
        nested = {str(name): v for name, v in loaded.items() if _holds_arrays(v)}
        inner = next((nested[name] for name in WRAPPERS if name in nested), None)
        if inner is None and not any(isinstance(v, np.ndarray) for v in loaded.values()):
            if len(nested) > 1:
                raise ValueError(f"several state dicts: {', '.join(nested)}; save one of them")
            inner = next(iter(nested.values()), None)
        if inner is None:
            return loaded
        loaded = inner


def _holds_arrays(value: Any) -> bool:
    """Whether a value is a dict with arrays under names, however deep; optimisers have numbers."""
    return isinstance(value, Mapping) and any(
        isinstance(name, str) and (isinstance(v, np.ndarray) or _holds_arrays(v))
        for name, v in value.items()
    )
