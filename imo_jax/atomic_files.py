"""Files that appear whole or not at all: written beside their place, then renamed into it."""

import contextlib
import io
import json
import os
import pathlib
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path to write to, which takes the place of `path` once the block ends well.

    The folder is made where it is absent. After an error nothing of the new file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes text as UTF-8."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes JSON. Raises ValueError, before anything is written, for NaN and infinity."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_arrays(
    path: pathlib.Path, arrays: Mapping[str, np.ndarray], *, compressed: bool = False
) -> None:
    """Writes arrays by name as .npz."""
    with replacing(path) as part, part.open("wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)


def write_table(path: pathlib.Path, rows: "pd.DataFrame") -> None:
    """Writes a table as CSV."""
    with replacing(path) as part:
        rows.to_csv(part, index=False)


def write_picture(path: pathlib.Path, pixels: np.ndarray) -> None:
    """Writes (H, W, 3) or (H, W) uint8, or (H, W) uint16, as PNG."""
    with replacing(path) as part:
        part.write_bytes(png_of(pixels))


def write_pictures(folder: pathlib.Path, pictures: Mapping[str, np.ndarray]) -> None:
    """Writes pictures by the names of their files, see `write_picture`."""
    for name, pixels in pictures.items():
        write_picture(folder / name, pixels)


def png_of(pixels: np.ndarray) -> bytes:
    """(H, W, 3) or (H, W) uint8, or (H, W) uint16, as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
