"""Where examples come from: the interface of a store, and the store that holds arrays."""

import copy
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from data_pipelines import images
from data_pipelines.framing import Frame
from data_pipelines.load import examples
from data_pipelines.load.examples import WorkingGrid
from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.manifest import Eye, Manifest
from data_pipelines.manifest.grades import PAPER_GRADES
from data_pipelines.squares import Square

EXAMPLE_KEYS = ("id", "fundus", "oct", "mask", "grade", "has_oct", "has_mask", "has_grade",
                "glaucoma", "has_glaucoma")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known of an eye without reading its pixels."""

    id: str
    patient: str
    grade: int | None
    has_oct: bool
    has_mask: bool
    glaucoma: int | None = None
    mm_per_pixel: float | None = None
    side: str | None = None
    source: str = ""


def entry_of(eye: Eye, grid: WorkingGrid) -> Entry:
    """The entry of an eye as it will stand in a store of this grid."""
    has_oct = eye.oct is not None and grid.oct_shape is not None
    return Entry(
        eye.id,
        eye.patient,
        eye.grade,
        has_oct,
        eye.mask is not None,
        eye.glaucoma,
        mm_per_pixel_of(eye),
        side_of(eye),
        eye.source,
    )


def mm_per_pixel_of(eye: Eye) -> float | None:
    """Side of a pixel of an eye's photograph on the retina: by the manifest, else by a DICOM file."""
    if eye.mm_per_pixel is not None:
        return eye.mm_per_pixel
    return images.pixel_spacing(eye.fundus).mm


def side_of(eye: Eye) -> str | None:
    """ "OD" or "OS": by the manifest, else by a DICOM file; None where neither says."""
    return eye.eye or images.side(eye.fundus)


class Store:
    """Examples of each split at working resolution, in random access.

    Attributes:
      grid: the WorkingGrid of all examples.
      backend: "tf.data" or "threads"; what load.train_batches parallelises with by default.
      squares: id -> the square of the photograph that is seen; other eyes are seen whole.
      grade_names: of the grades, from normal (0) to the worst.
      doubts: id -> what the check of its manifest doubted of an eye.
    """

    def __init__(
        self,
        grid: WorkingGrid,
        entries: Mapping[str, Sequence[Entry]],
        records: Mapping[str, Sequence[Mapping[str, Any]]],
        backend: str,
        squares: Mapping[str, Square] | None = None,
        grade_names: Sequence[str] = PAPER_GRADES,
    ) -> None:
        """`records[split][i]` is the record (see examples.read_record) of `entries[split][i]`."""
        self.grid = grid
        self.backend = backend
        self.squares = squares or {}
        self.grade_names = tuple(grade_names)
        self.doubts: Mapping[str, tuple[str, ...]] = {}
        self._entries = {split: tuple(rows) for split, rows in entries.items() if rows}
        self._records = records

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have examples."""
        return tuple(self._entries)

    def num(self, split: str) -> int:
        """Number of examples; 0 for a split that is not there."""
        return len(self._entries.get(split, ()))

    def ids(self, split: str) -> list[str]:
        return [entry.id for entry in self._entries.get(split, ())]

    def patients(self, split: str) -> list[str]:
        return [entry.patient for entry in self._entries.get(split, ())]

    def grades(self, split: str) -> np.ndarray:
        """int32 (n,); 0 where has_grade is False."""
        rows = self._entries.get(split, ())
        return np.array([row.grade or 0 for row in rows], np.int32)

    def has_grade(self, split: str) -> np.ndarray:
        """bool (n,)."""
        rows = self._entries.get(split, ())
        return np.array([row.grade is not None for row in rows], bool)

    def glaucoma(self, split: str) -> list[int | None]:
        """0 no, 1 yes, None unknown, as the manifest's column says; a grade says more."""
        return [row.glaucoma for row in self._entries.get(split, ())]

    def mm_per_pixel(self, split: str) -> list[float | None]:
        """Side of a pixel of each native photograph on the retina, None where it is not known."""
        return [entry.mm_per_pixel for entry in self._entries.get(split, ())]

    def sides(self, split: str) -> list[str | None]:
        """ "OD" (right) or "OS" (left) of each eye, None where it is not known."""
        return [entry.side for entry in self._entries.get(split, ())]

    def sources(self, split: str) -> list[str]:
        """The data set that each eye comes from, "" where the manifest does not say."""
        return [entry.source for entry in self._entries.get(split, ())]

    def has_oct(self, split: str) -> np.ndarray:
        """bool (n,)."""
        return np.array([row.has_oct for row in self._entries.get(split, ())], bool)

    def has_mask(self, split: str) -> np.ndarray:
        """bool (n,)."""
        return np.array([row.has_mask for row in self._entries.get(split, ())], bool)

    def example(self, split: str, i: int) -> dict[str, Any]:
        """`fundus`, `oct`, `mask`, `grade`, `has_*` and `id` of one eye, not augmented.

        Shapes and dtypes as in examples.read_record. The arrays may be read-only.
        """
        record = self._record(split, i)
        entry = self._entries[split][i]
        labels = {"grade": entry.grade or 0, "has_grade": entry.grade is not None}
        return {key: record[key] for key in EXAMPLE_KEYS if key in record} | labels

    def frame(self, split: str, i: int) -> Frame:
        """Where the working square lies in the native photograph."""
        return examples.frame_of(self._record(split, i))

    def native_mask(self, split: str, i: int) -> np.ndarray | None:
        """uint8 (H0, W0) ids at the mask's own size; None where the eye has no mask."""
        return examples.decode_mask(self._record(split, i)["native_mask"])

    def regraded(self, names: Sequence[str], grades: Sequence[int]) -> "Store":
        """The same eyes with other grades.

        Args:
          names: of the new grades; where they are two, `glaucoma` tells the grade of an eye that
            has none.
          grades: the new grade of each of the old.
        """

        def changed(entry: Entry) -> Entry:
            grade = entry.glaucoma if len(names) == 2 else None
            return dataclasses.replace(
                entry, grade=grade if entry.grade is None else grades[entry.grade]
            )

        store = copy.copy(self)
        store.grade_names = tuple(names)
        store._entries = {s: tuple(map(changed, rows)) for s, rows in self._entries.items()}
        return store

    def _record(self, split: str, i: int) -> Mapping[str, Any]:
        if not 0 <= i < self.num(split):
            raise IndexError(
                f"no example {i} in split {split!r}: it has {self.num(split)} (splits: "
                f"{', '.join(self.splits) or 'none'})"
            )
        return self._records[split][i]


class ArrayStore(Store):
    """Examples held in memory; needs no TensorFlow."""

    def __init__(
        self,
        grid: WorkingGrid,
        records: Mapping[str, Sequence[Mapping[str, Any]]],
        grade_names: Sequence[str] = PAPER_GRADES,
    ) -> None:
        entries = {
            split: [
                Entry(
                    row["id"],
                    row["patient"],
                    row["grade"] if row["has_grade"] else None,
                    row["has_oct"],
                    row["has_mask"],
                    row["glaucoma"] if row.get("has_glaucoma") else None,
                    row.get("mm_per_pixel"),
                    row.get("side"),
                    row.get("source", ""),
                )
                for row in rows
            ]
            for split, rows in records.items()
        }
        super().__init__(grid, entries, records, backend="threads", grade_names=grade_names)

    @classmethod
    def from_manifest(
        cls,
        manifest: Manifest,
        image_size: int,
        oct_shape: tuple[int, int, int] | None,
        crop_to_field: bool = True,
        splits: Iterable[str] = ("train", "val", "test"),
    ) -> "ArrayStore":
        """Reads all eyes of the splits into memory (image_size^2 x 4 bytes an eye and the OCT)."""
        grid = WorkingGrid(image_size, oct_shape, crop_to_field)

        def read(eye: Eye) -> dict[str, Any]:
            known = {"mm_per_pixel": mm_per_pixel_of(eye), "side": side_of(eye)}
            known["source"] = eye.source
            return examples.read_record(eye, grid) | known

        return cls(
            grid,
            {
                split: list(
                    ordered_map(
                        read,
                        manifest.split(split),
                        workers=os.cpu_count() or 1,
                        ahead=2,
                    )
                )
                for split in splits
            },
            manifest.grade_names,
        )
