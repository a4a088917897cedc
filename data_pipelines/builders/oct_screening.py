"""TFDS builder of the screening manifest: B-scans and cubes at working resolution.

B-scans are stored one a record: a training example needs three of a volume's two hundred. Labels are not stored; they
come from the manifest, so that changing one prepares nothing anew.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.builders.fingerprint import fingerprint
from data_pipelines.builders.packs import SPLIT, PackedRecords, PackReader, Written, prepared
from data_pipelines.builders.records import (
    LocalInfo,
    ordered_key,
    raw,
    write_records,
)
from data_pipelines.builders.workers import read_all
from data_pipelines.load.quiet_tensorflow import import_tensorflow
from data_pipelines.load.screening_grid import Part, ScreeningGrid
from data_pipelines.load.screening_stores import Images, ScreeningStore
from data_pipelines.load.tfds_records import FILE_FORMAT, quiet_logs
from data_pipelines.manifest import ScreeningManifest, ScreeningVolume
from data_pipelines.progress import progress_line

_, tfds = import_tensorflow()

# Raise it whenever reading, resizing or the format of a record changes: caches made before are then
# prepared anew.
FORMAT_VERSION = "2.1.0"
SPLITS = ("train", "val", "test")
SCANS = 200  # B-scans of a usual volume


@dataclasses.dataclass(kw_only=True)
class PartConfig(tfds.core.BuilderConfig):
    """A builder config pinned to one part."""

    part: Part | None = None


class OctScreening(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The images of one part, volume after volume in the given order.

    Attributes:
      written: (images, slices) of each volume; filled while the records are written.
    """

    VERSION = tfds.core.Version(FORMAT_VERSION)
    # TFDS would look for download checksums beside the builder's code; there is nothing to download.
    code_path = None

    def __init__(
        self,
        *,
        volumes: Sequence[ScreeningVolume],
        part: Part,
        progress: tuple[int, int],
        **kwargs,
    ) -> None:
        """`progress`: how many volumes were written before these, and how many there are."""
        self._volumes, self._progress = volumes, progress
        self.written: list[tuple[int, int]] = []
        name = part.name + "x".join(map(str, part.shape))
        config = PartConfig(name=name, part=part, description="OCT volumes at working resolution")
        super().__init__(config=config, **kwargs)

    def _info(self) -> LocalInfo:
        part = self.builder_config.part
        number = tfds.features.Scalar(np.int32)
        features = {part.name: raw(part.shape), "volume": number, "number": number}
        return LocalInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # keys are ordered: the files keep the given order
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager  # nothing is ever downloaded
        return {SPLIT: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, object]]]:
        part, rows = self.builder_config.part, self._volumes
        files = [[row.oct] for row in rows]
        volumes = read_all(lambda row: part.read(row.oct, row.oct_form), rows, files)
        before, total = self._progress
        shown = progress_line(volumes, total, f"volumes ({part.name}s)", before=before)
        for volume, (images, slices) in enumerate(shown):
            self.written.append((len(images), slices))
            for number, image in enumerate(images):
                key = ordered_key(volume, len(rows), number)
                yield key, {part.name: image, "volume": volume, "number": number}


class _ImagesOfRecords(Sequence):
    """The images alone of a volume's records."""

    def __init__(self, records: PackedRecords, name: str) -> None:
        self._records, self._name = records, name

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, i: int) -> np.ndarray:
        return self._records[i][self._name]


def prepare_screening(
    manifest: ScreeningManifest,
    cache_dir: Path | str,
    scan_size: int | None,
    cube_shape: tuple[int, int, int] | None = None,
    max_scans: int | None = None,
    scan_neighbours: str = "volume",
    splits: Iterable[str] = SPLITS,
) -> ScreeningStore:
    """Opens the prepared volumes of a manifest, preparing first those that are not there yet.

    B-scans and cubes lie in packs (see builders.packs), each volume's under a key of its own: over
    the path, size and time of change of its files, the sizes and FORMAT_VERSION; so what is
    prepared is never reused once one of them has changed, and always where none has.

    Args:
      manifest: as manifest.read_screening_manifest returns it; volumes outside `splits` are left
        out.
      cache_dir: where to keep it: n scan_size**2 bytes for a volume of n B-scans, and its cube.
      scan_size, cube_shape, max_scans, scan_neighbours: see ScreeningGrid.
      splits: names of splits; "" is that of volumes without one.

    Raises what reading a file raises, naming the file; then the volumes of whole packs are kept.
    """
    grid = ScreeningGrid(scan_size, cube_shape, max_scans, scan_neighbours)
    volumes = {split: rows for split in splits if (rows := manifest.split(split))}
    images = {
        part.name: _prepare_part(part, volumes, Path(cache_dir), grid)
        for part in grid.parts
    }
    return ScreeningStore(grid, volumes, images, backend="tf.data")


def _prepare_part(
    part: Part,
    volumes: dict[str, Sequence[ScreeningVolume]],
    cache_dir: Path,
    grid: ScreeningGrid,
) -> dict[str, Images]:
    """Split -> images of one part."""
    rows = [row for of_split in volumes.values() for row in of_split]
    settings = {
        "part": part.name,
        "shape": part.shape,
        "scans": (grid.max_scans, grid.scan_neighbours) if part.name == "scan" else None,
        "file_format": FILE_FORMAT,
        "format_version": FORMAT_VERSION,
    }

    def write(folder: Path, positions: list[int], before: int, total: int) -> Written:
        with quiet_logs():
            builder = OctScreening(
                volumes=[rows[i] for i in positions],
                part=part,
                progress=(before, total),
                data_dir=folder,
                file_format=FILE_FORMAT,
            )
        write_records(builder, folder)
        return builder.written

    keys = [fingerprint(row.oct_form.texts(), [row.oct], settings) for row in rows]
    image_bytes = math.prod(part.shape)
    usual = SCANS if part.name == "scan" else 1
    places = iter(prepared(cache_dir, keys, write, usual * image_bytes))
    images, reader = {}, PackReader()
    for split, of_split in volumes.items():
        found = [next(places) for _ in of_split]
        images[split] = Images(
            [_ImagesOfRecords(reader.records(place), part.name) for place in found],
            [part.centres(place.about) for place in found],
        )
    return images
