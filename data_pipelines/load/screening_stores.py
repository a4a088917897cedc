"""Where the OCT volumes of a screening run come from: the store, and the one that holds arrays."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.load.screening_grid import SETTINGS, ScreeningGrid
from data_pipelines.manifest import ScreeningManifest, ScreeningVolume

# The order of the visual-field indices, wherever three stand together: percent, dB, dB.
INDICES = ("vfi", "md", "psd")


class Images:
    """The images of the volumes of one split.

    Attributes:
      counts: int32 (volumes,): how many images of each volume are looked at.
    """

    def __init__(
        self, volumes: Sequence[Sequence[np.ndarray]], centres: Sequence[Sequence[int]]
    ) -> None:
        """The uint8 images of each volume, and the positions of those looked at (see Part)."""
        self.counts = np.array([len(positions) for positions in centres], np.int32)
        self._volumes, self._centres = volumes, centres

    def get(self, i: int, number: int, beside: int = 0) -> np.ndarray:
        """Image `number` of volume i, or the one `beside` it; past the ends, the last one."""
        images = self._volumes[i]
        position = min(max(self._centres[i][number] + beside, 0), len(images) - 1)
        return images[position]


class ScreeningStore:
    """Volumes of each split at working resolution, in random access B-scan by B-scan.

    Attributes:
      grid: the ScreeningGrid of all volumes.
      backend: "tf.data" or "threads"; what the batches are parallelised with by default.
    """

    def __init__(
        self,
        grid: ScreeningGrid,
        volumes: Mapping[str, Sequence[ScreeningVolume]],
        images: Mapping[str, Mapping[str, Images]],
        backend: str,
    ) -> None:
        """`images[part][split]` holds what is kept of `volumes[split]`; parts as in the grid."""
        self.grid = grid
        self.backend = backend
        self._volumes = {split: tuple(rows) for split, rows in volumes.items() if rows}
        self._images = images

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have volumes."""
        return tuple(self._volumes)

    def num(self, split: str) -> int:
        """Number of volumes; 0 for a split that is not there."""
        return len(self._of(split))

    def ids(self, split: str) -> list[str]:
        return [volume.id for volume in self._of(split)]

    def patients(self, split: str) -> list[str]:
        return [volume.patient for volume in self._of(split)]

    def eyes(self, split: str) -> list[str]:
        """ "OD" (right) or "OS" (left) of each volume."""
        return [volume.eye for volume in self._of(split)]

    def visits(self, split: str) -> list[str]:
        """The visit of each volume; (patient, eye, visit) is a case."""
        return [volume.visit for volume in self._of(split)]

    def sources(self, split: str) -> list[str]:
        """The data set that each volume comes from, "" where the manifest does not say."""
        return [volume.source for volume in self._of(split)]

    def glaucoma(self, split: str) -> np.ndarray:
        """int32 (n,), 0 or 1."""
        return np.array([volume.glaucoma for volume in self._of(split)], np.int32)

    def vf(self, split: str) -> np.ndarray:
        """float32 (n, 3): VFI in percent, MD and PSD in dB, as measured; 0 where has_vf is False."""
        values = [[getattr(v, name) or 0.0 for name in INDICES] for v in self._of(split)]
        return np.array(values, np.float32).reshape(-1, len(INDICES))

    def has_vf(self, split: str) -> np.ndarray:
        """bool (n, 3): which indices were measured."""
        known = [[getattr(v, name) is not None for name in INDICES] for v in self._of(split)]
        return np.array(known, bool).reshape(-1, len(INDICES))

    def num_scans(self, split: str) -> np.ndarray:
        """int32 (n,): how many B-scans `scans` gives of each volume; 0 without scan_size."""
        if self.grid.scan_size is None or not self.num(split):
            return np.zeros(self.num(split), np.int32)
        return self._images["scan"][split].counts

    def scan(self, split: str, i: int, number: int) -> np.ndarray:
        """uint8 (S, S): B-scan `number` of volume i. May be read-only."""
        return self._get("scan", split, i, number)

    def triplet(self, split: str, i: int, number: int) -> np.ndarray:
        """uint8 (S, S, 3): B-scan `number` of volume i between the two next to it in the volume.

        At the ends of a volume the edge is repeated.
        """
        return np.stack([self._get("scan", split, i, number, step) for step in (-1, 0, 1)], axis=-1)

    def scans(self, split: str, i: int) -> np.ndarray:
        """uint8 (n, S, S): all B-scans of a volume that are looked at, in order."""
        images = self._images_of("scan", split, i)
        return np.stack([images.get(i, number) for number in range(images.counts[i])])

    def cube(self, split: str, i: int) -> np.ndarray:
        """uint8 (slices, depth, width): a whole volume on the grid's cube_shape. May be read-only."""
        return self._get("cube", split, i, 0)

    def _of(self, split: str) -> tuple[ScreeningVolume, ...]:
        return self._volumes.get(split, ())

    def _get(self, part: str, split: str, i: int, number: int, beside: int = 0) -> np.ndarray:
        images = self._images_of(part, split, i)
        if not 0 <= number < images.counts[i]:
            volume = self._of(split)[i].id
            raise IndexError(f"no {part} {number} in volume {volume}: it has {images.counts[i]}")
        return images.get(i, number, beside)

    def _images_of(self, part: str, split: str, i: int) -> Images:
        if part not in self._images:
            raise ValueError(f"the store holds no {part}s: it was made without {SETTINGS[part]}")
        if not 0 <= i < self.num(split):
            raise IndexError(
                f"no volume {i} in split {split!r}: it has {self.num(split)} (splits: "
                f"{', '.join(self.splits) or 'none'})"
            )
        return self._images[part][split]


class ScreeningArrayStore(ScreeningStore):
    """Volumes held in memory; needs no TensorFlow."""

    @classmethod
    def from_manifest(
        cls,
        manifest: ScreeningManifest,
        scan_size: int | None,
        cube_shape: tuple[int, int, int] | None = None,
        max_scans: int | None = None,
        scan_neighbours: str = "volume",
        splits: Iterable[str] = ("train", "val", "test"),
    ) -> "ScreeningArrayStore":
        """Reads all volumes of the splits into memory.

        Args:
          manifest: as manifest.read_screening_manifest returns it.
          scan_size, cube_shape, max_scans, scan_neighbours: see ScreeningGrid; a volume of n B-scans takes
            n scan_size**2 bytes, and its cube.
          splits: names of splits; "" is that of volumes without one.

        Raises what reading a file raises, naming the file.
        """
        grid = ScreeningGrid(scan_size, cube_shape, max_scans, scan_neighbours)
        volumes = {split: rows for split in splits if (rows := manifest.split(split))}
        images = {part.name: {} for part in grid.parts}
        for split, rows in volumes.items():
            whole = list(
                ordered_map(
                    lambda row: [part.read(row.oct, row.oct_form) for part in grid.parts],
                    rows,
                    workers=os.cpu_count() or 1,
                    ahead=2,
                )
            )
            for part, found in zip(grid.parts, zip(*whole, strict=True), strict=True):
                images[part.name][split] = Images(
                    [array for array, _ in found], [part.centres(slices) for _, slices in found]
                )
        return cls(grid, volumes, images, backend="threads")

    @classmethod
    def of_one(
        cls, row: ScreeningVolume, volume: np.ndarray, grid: ScreeningGrid
    ) -> "ScreeningArrayStore":
        """A store of one volume that was read: (slices, depth, width) as volumes.read_volume."""
        images = {
            part.name: {row.split: Images([part.make(volume)], [part.centres(len(volume))])}
            for part in grid.parts
        }
        return cls(grid, {row.split: [row]}, images, backend="threads")
