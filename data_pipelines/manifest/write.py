"""Write a manifest and its sidecar, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from data_pipelines.manifest.grades import PAPER_GRADES, grades_file, grades_text
from data_pipelines.manifest.roots import Roots, sidecar_of


def write_table(
    path: Path,
    columns: Sequence[str],
    items: Iterable,
    cells: Callable[[object, Roots], list[str]],
    data_root: os.PathLike | str | None,
    record: dict | None,
    grade_names: tuple[str, ...] = PAPER_GRADES,
) -> None:
    """Writes the header and `cells(item, roots)` of every item, then what stands beside it.

    That is the sidecar and the names of the grades, as far as they are needed; those left by an
    earlier manifest of the same name are removed.
    """
    folder = Path(os.path.abspath(path)).parent
    data_root = None if data_root is None else Path(os.path.abspath(data_root))
    roots = Roots(folder, data_root)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(cells(item, roots) for item in items)
    folder.mkdir(parents=True, exist_ok=True)
    # The grades first: numbers of other grades than the paper's never stand without them.
    if grade_names != PAPER_GRADES:
        _write_whole(grades_file(path), grades_text(grade_names))
    else:
        grades_file(path).unlink(missing_ok=True)
    _write_whole(path, text.getvalue())
    sidecar = dict(record or {})
    if data_root is not None:
        sidecar["data_root"] = str(data_root)
    if sidecar:
        _write_whole(sidecar_of(path), json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n")
    else:
        sidecar_of(path).unlink(missing_ok=True)


def used_columns(items: Sequence, optional: Sequence[str]) -> list[str]:
    """The optional columns that any item has something for."""
    return [name for name in optional if any(getattr(i, name) not in (None, "") for i in items)]


def _write_whole(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    """The umask; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
