"""TFDS builder of the multimodal manifest: each eye read once, at the working resolution."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.builders.cache import prepared_folder
from data_pipelines.builders.fingerprint import fingerprint
from data_pipelines.progress import progress_line
from data_pipelines.builders.records import (
    best_format,
    ordered_key,
    raw,
    records_folder,
    write_records,
)
from data_pipelines.load.examples import FRAME_FIELDS, WorkingGrid, read_record
from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.load.quiet_tensorflow import import_tensorflow
from data_pipelines.load.stores import entry_of
from data_pipelines.load.tfds_records import quiet_logs, records_name
from data_pipelines.load.tfds_store import TfdsStore, write_entries
from data_pipelines.manifest import Eye, Manifest

_, tfds = import_tensorflow()

# Raise it whenever reading, framing or the format of a record changes: caches made before are then
# prepared anew.
FORMAT_VERSION = "1.0.0"
SPLITS = ("train", "val", "test")


@dataclasses.dataclass(kw_only=True)
class EyesConfig(tfds.core.BuilderConfig):
    """A builder config pinned to one grid."""

    grid: WorkingGrid | None = None


class MultimodalEyes(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Records of examples.read_record, in the manifest's order."""

    VERSION = tfds.core.Version(FORMAT_VERSION)
    # TFDS would look for download checksums beside the builder's code (and, before that, import a
    # package it does not install); there is nothing to download.
    code_path = None

    def __init__(self, *, eyes: Mapping[str, Sequence[Eye]], grid: WorkingGrid, **kwargs) -> None:
        self._eyes = eyes
        name = f"fundus{grid.image_size}"
        if grid.oct_shape is not None:
            name += "_oct" + "x".join(map(str, grid.oct_shape))
        config = EyesConfig(name=name, grid=grid, description="eyes at working resolution")
        super().__init__(config=config, **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = eye_features(self.builder_config.grid)
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # keys are ordered: the files keep the manifest's order
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager  # nothing is ever downloaded
        return {
            records_name(split): self._generate_examples(split, eyes)
            for split, eyes in self._eyes.items()
        }

    def _generate_examples(
        self, split: str, eyes: Sequence[Eye]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        grid = self.builder_config.grid
        workers = os.cpu_count() or 1
        records = ordered_map(lambda eye: read_record(eye, grid), eyes, workers, ahead=workers)
        shown = progress_line(records, len(eyes), f"{records_name(split)} eyes")
        for position, record in enumerate(shown):
            yield ordered_key(position, len(eyes)), record


def eye_features(grid: WorkingGrid) -> dict[str, tfds.features.FeatureConnector]:
    """The features of a record; images are kept as raw bytes, which costs no decoding."""
    side = grid.image_size
    flag = tfds.features.Scalar(np.bool_)
    features = {
        "id": tfds.features.Text(),
        "patient": tfds.features.Text(),
        "fundus": raw((side, side, 3)),
        "mask": raw((side, side)),
        "grade": tfds.features.Scalar(np.int32),
        "has_oct": flag,
        "has_mask": flag,
        "has_grade": flag,
        "frame": tfds.features.Tensor(shape=(len(FRAME_FIELDS),), dtype=np.int32),
        "native_mask": tfds.features.Tensor(shape=(), dtype=np.object_),
    }
    if grid.oct_shape is not None:
        features["oct"] = raw(grid.oct_shape)
    return features


def prepare(
    manifest: Manifest,
    cache_dir: Path | str,
    image_size: int,
    oct_shape: tuple[int, int, int] | None,
    crop_to_field: bool = True,
    splits: Iterable[str] = SPLITS,
    file_format: str | None = None,
) -> TfdsStore:
    """Opens the prepared eyes of a manifest, preparing them first where that has not been done.

    What is prepared lies in cache_dir under a fingerprint of the manifest's text and eyes, the
    path, size and time of change of every file, the settings and FORMAT_VERSION; so it is never
    reused once one of them has changed. The cache may be deleted at any time.

    Args:
      manifest: as manifest.read_manifest returns it; eyes outside `splits` are left out.
      cache_dir: where to keep it; about image_size**2 * 4 bytes and the OCT volume an eye.
      image_size: side of the working image in pixels.
      oct_shape: (depth, width, slices), or None to leave the OCT out.
      crop_to_field: cut the black border around the photograph's field of view.
      splits: names of splits; "" is that of eyes without one.
      file_format: "array_record" or "tfrecord"; None: the former where it is installed.

    Raises what reading a file raises, naming the file; then nothing is kept.
    """
    grid = WorkingGrid(image_size, oct_shape, crop_to_field)
    eyes = {split: rows for split in splits if (rows := manifest.split(split))}
    file_format = file_format or best_format()
    name = _fingerprint(manifest, eyes, grid, file_format)

    def write(folder: Path) -> None:
        with quiet_logs():
            builder = MultimodalEyes(eyes=eyes, grid=grid, data_dir=folder, file_format=file_format)
        write_records(builder, folder)
        write_entries(
            folder, grid, {split: [entry_of(eye, grid) for eye in eyes[split]] for split in eyes}
        )

    folder = prepared_folder(Path(cache_dir), name, write)
    return TfdsStore(folder, records_folder(folder))


def _fingerprint(
    manifest: Manifest, eyes: Mapping[str, Sequence[Eye]], grid: WorkingGrid, file_format: str
) -> str:
    rows = [str(row) for split in eyes for row in eyes[split]]
    files = {
        path
        for split in eyes
        for eye in eyes[split]
        for path in (eye.fundus, eye.mask, eye.oct if grid.oct_shape is not None else None)
        if path is not None
    }
    settings = {
        **vars(grid),
        "splits": list(eyes),
        "file_format": file_format,
        "format_version": FORMAT_VERSION,
    }
    return fingerprint([manifest.path.read_text(encoding="utf-8"), *rows], sorted(files), settings)
