"""TFDS builder of the screening manifest: B-scans and cubes at working resolution.

B-scans are stored one a record: a training example needs three of a volume's two hundred, and
reading them one by one from an ArrayRecord file reads nothing else. Labels are not stored; they
come from the manifest, so that changing one prepares nothing anew.
"""

import dataclasses
import functools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.builders.cache import prepared_folder
from data_pipelines.builders.fingerprint import fingerprint
from data_pipelines.builders.progress import progress_line
from data_pipelines.builders.records import (
    best_format,
    ordered_key,
    raw,
    records_folder,
    write_records,
)
from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.load.quiet_tensorflow import import_tensorflow
from data_pipelines.load.screening_grid import Part, ScreeningGrid
from data_pipelines.load.screening_stores import Images, ScreeningStore
from data_pipelines.load.tfds_records import KEEP_BYTES, TfdsRecords, quiet_logs, records_name
from data_pipelines.manifest import ScreeningManifest, ScreeningVolume

_, tfds = import_tensorflow()

# Raise it whenever reading, resizing or the format of a record changes: caches made before are then
# prepared anew.
FORMAT_VERSION = "1.1.0"
SPLITS = ("train", "val", "test")
COUNTS_FILE = "counts.json"
# Images that each split remembers besides those that TfdsRecords keeps.
REMEMBERED = 64


@dataclasses.dataclass(kw_only=True)
class PartConfig(tfds.core.BuilderConfig):
    """A builder config pinned to one part."""

    part: Part | None = None


class OctScreening(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The images of one part, volume after volume in the manifest's order.

    Attributes:
      counts: split -> (images, slices) of each volume; filled while the records are written.
    """

    VERSION = tfds.core.Version(FORMAT_VERSION)
    # TFDS would look for download checksums beside the builder's code; there is nothing to download.
    code_path = None

    def __init__(
        self, *, volumes: Mapping[str, Sequence[ScreeningVolume]], part: Part, **kwargs
    ) -> None:
        self._volumes = volumes
        self.counts: dict[str, list[tuple[int, int]]] = {split: [] for split in volumes}
        name = part.name + "x".join(map(str, part.shape))
        config = PartConfig(name=name, part=part, description="OCT volumes at working resolution")
        super().__init__(config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        part = self.builder_config.part
        number = tfds.features.Scalar(np.int32)
        features = {part.name: raw(part.shape), "volume": number, "number": number}
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # keys are ordered: the files keep the manifest's order
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager  # nothing is ever downloaded
        return {
            records_name(split): self._generate_examples(split, rows)
            for split, rows in self._volumes.items()
        }

    def _generate_examples(
        self, split: str, rows: Sequence[ScreeningVolume]
    ) -> Iterator[tuple[int, dict[str, object]]]:
        part = self.builder_config.part
        workers = os.cpu_count() or 1
        volumes = ordered_map(lambda row: part.read(row.oct), rows, workers, ahead=workers)
        what = f"{records_name(split)} volumes ({part.name}s)"
        for volume, (images, slices) in enumerate(progress_line(volumes, len(rows), what)):
            self.counts[split].append((len(images), slices))
            for number, image in enumerate(images):
                key = ordered_key(volume, len(rows), number)
                yield key, {part.name: image, "volume": volume, "number": number}


class _ImagesOfRecords(Sequence):
    """The images alone of records; the latest are remembered, since neighbours share two of three."""

    def __init__(self, records: TfdsRecords, name: str) -> None:
        self._num = len(records)
        self._get = functools.lru_cache(REMEMBERED)(lambda i: records[i][name])

    def __len__(self) -> int:
        return self._num

    def __getitem__(self, i: int) -> np.ndarray:
        return self._get(i)


def prepare_screening(
    manifest: ScreeningManifest,
    cache_dir: Path | str,
    scan_size: int | None,
    cube_shape: tuple[int, int, int] | None = None,
    max_scans: int | None = None,
    splits: Iterable[str] = SPLITS,
    file_format: str | None = None,
) -> ScreeningStore:
    """Opens the prepared volumes of a manifest, preparing them first where that has not been done.

    B-scans and cubes lie in cache_dir each under a fingerprint of their own: over the order of the
    volumes, the path, size and time of change of every file, the sizes and FORMAT_VERSION; so what
    is prepared is never reused once one of them has changed. The cache may be deleted at any time.

    Args:
      manifest: as manifest.read_screening_manifest returns it; volumes outside `splits` are left
        out.
      cache_dir: where to keep it: n scan_size**2 bytes for a volume of n B-scans, and its cube.
      scan_size, cube_shape, max_scans: see ScreeningGrid.
      splits: names of splits; "" is that of volumes without one.
      file_format: "array_record" or "tfrecord"; None: the former where it is installed.

    Raises what reading a file raises, naming the file; then nothing is kept.
    """
    grid = ScreeningGrid(scan_size, cube_shape, max_scans)
    volumes = {split: rows for split in splits if (rows := manifest.split(split))}
    file_format = file_format or best_format()
    images = {
        part.name: _prepare_part(part, volumes, Path(cache_dir), max_scans, file_format)
        for part in grid.parts
    }
    return ScreeningStore(grid, volumes, images, backend="tf.data")


def _prepare_part(
    part: Part,
    volumes: Mapping[str, Sequence[ScreeningVolume]],
    cache_dir: Path,
    max_scans: int | None,
    file_format: str,
) -> dict[str, Images]:
    """Split -> images of one part."""
    settings = {
        "part": part.name,
        "shape": part.shape,
        "max_scans": max_scans if part.name == "scan" else None,
        "splits": {split: len(rows) for split, rows in volumes.items()},
        "file_format": file_format,
        "format_version": FORMAT_VERSION,
    }
    paths = [row.oct for rows in volumes.values() for row in rows]
    name = fingerprint(map(str, paths), sorted(set(paths)), settings)

    def write(folder: Path) -> None:
        with quiet_logs():
            builder = OctScreening(
                volumes=volumes, part=part, data_dir=folder, file_format=file_format
            )
        write_records(builder, folder)
        (folder / COUNTS_FILE).write_text(json.dumps(builder.counts))

    folder = prepared_folder(cache_dir, name, write)
    counts = json.loads((folder / COUNTS_FILE).read_text())
    keep = KEEP_BYTES // math.prod(part.shape)
    return {
        split: Images(
            [kept for kept, _ in counts[split]],
            [part.centres(slices) for _, slices in counts[split]],
            _ImagesOfRecords(
                TfdsRecords(records_folder(folder), records_name(split), keep), part.name
            ),
        )
        for split in volumes
    }
