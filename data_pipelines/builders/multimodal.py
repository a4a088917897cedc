"""TFDS builder of the multimodal manifest: each eye read once, at the working resolution.

Only what comes from an eye's files is stored; labels and splits come from the manifest.
"""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from data_pipelines.load.examples import FRAME_FIELDS, WorkingGrid, read_record
from data_pipelines.load.quiet_tensorflow import import_tensorflow
from data_pipelines.load.stores import Entry, Store, entry_of
from data_pipelines.load.tfds_records import FILE_FORMAT, quiet_logs
from data_pipelines.manifest import Eye, Manifest
from data_pipelines.manifest.mask_codes import codes_texts
from data_pipelines.progress import progress_line
from data_pipelines.squares import Square

_, tfds = import_tensorflow()

# Raise it whenever reading, framing or the format of a record changes: caches made before are then
# prepared anew.
FORMAT_VERSION = "2.1.0"
SPLITS = ("train", "val", "test")


@dataclasses.dataclass(kw_only=True)
class EyesConfig(tfds.core.BuilderConfig):
    """A builder config pinned to one grid."""

    grid: WorkingGrid | None = None


class MultimodalEyes(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What examples.read_record reads from the files of eyes, in the given order."""

    VERSION = tfds.core.Version(FORMAT_VERSION)
    # TFDS would look for download checksums beside the builder's code (and, before that, import a
    # package it does not install); there is nothing to download.
    code_path = None

    def __init__(
        self,
        *,
        eyes: Sequence[Eye],
        squares: Sequence[Square | None],
        grid: WorkingGrid,
        progress: tuple[int, int],
        **kwargs,
    ) -> None:
        """`squares`: of each eye; `progress`: eyes written before these, and all there are."""
        self._eyes, self._squares, self._progress = eyes, squares, progress
        name = f"fundus{grid.image_size}"
        if grid.oct_shape is not None:
            name += "_oct" + "x".join(map(str, grid.oct_shape))
        config = EyesConfig(name=name, grid=grid, description="eyes at working resolution")
        super().__init__(config=config, **kwargs)

    def _info(self) -> LocalInfo:
        features = eye_features(self.builder_config.grid)
        return LocalInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # keys are ordered: the files keep the given order
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager  # nothing is ever downloaded
        return {SPLIT: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        grid, eyes = self.builder_config.grid, self._eyes
        names = eye_features(grid)
        files = [files_of(eye, grid) for eye in eyes]
        before, total = self._progress
        pairs = list(zip(eyes, self._squares, strict=True))
        records = read_all(lambda pair: read_record(pair[0], grid, pair[1]), pairs, files)
        shown = progress_line(records, total, "eyes", before=before)
        for position, record in enumerate(shown):
            yield ordered_key(position, len(eyes)), {name: record[name] for name in names}


def eye_features(grid: WorkingGrid) -> dict[str, tfds.features.FeatureConnector]:
    """The features of a record; images are kept as raw bytes, which costs no decoding."""
    side = grid.image_size
    flag = tfds.features.Scalar(np.bool_)
    features = {
        "fundus": raw((side, side, 3)),
        "mask": raw((side, side)),
        "has_oct": flag,
        "has_mask": flag,
        "frame": tfds.features.Tensor(shape=(len(FRAME_FIELDS),), dtype=np.int32),
        "native_mask": tfds.features.Tensor(shape=(), dtype=np.object_),
    }
    if grid.oct_shape is not None:
        features["oct"] = raw(grid.oct_shape)
    return features


def files_of(eye: Eye, grid: WorkingGrid) -> list[Path]:
    """The files of an eye that a record is made of."""
    files = (eye.fundus, eye.mask, eye.oct if grid.oct_shape is not None else None)
    return [file for file in files if file is not None]


def texts_of(eye: Eye, grid: WorkingGrid, square: Square | None) -> list[str]:
    """What a record depends on beside files and grid: the square, what is said of volume and mask."""
    seen = [] if square is None else [str(square)]
    volume = [] if grid.oct_shape is None else eye.oct_form.texts()
    return seen + volume + ([] if eye.mask is None else codes_texts(eye.mask_codes))


class _EyeRecords(Sequence):
    """Records of read_record: what was stored, with the labels of the manifest."""

    def __init__(self, packed: Sequence[PackedRecords], entries: Sequence[Entry]) -> None:
        self._packed, self._entries = packed, entries

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, i: int) -> dict[str, Any]:
        entry = self._entries[i]
        labels = {
            "id": entry.id,
            "patient": entry.patient,
            "grade": 0 if entry.grade is None else entry.grade,
            "has_grade": entry.grade is not None,
            "glaucoma": entry.glaucoma or 0,
            "has_glaucoma": entry.glaucoma is not None,
        }
        return self._packed[i][0] | labels


def prepare(
    manifest: Manifest,
    cache_dir: Path | str,
    image_size: int,
    oct_shape: tuple[int, int, int] | None,
    crop_to_field: bool = True,
    splits: Iterable[str] = SPLITS,
    squares: Mapping[str, Square] | None = None,
) -> Store:
    """Opens the prepared eyes of a manifest, preparing first those that are not there yet.

    Eyes lie in packs (see builders.packs), each under a key of its own: over the path, size and
    time of change of its files, the settings and FORMAT_VERSION; so what is prepared is never
    reused once one of them has changed, and always where none has, whatever manifest, fold or
    split the eye is in and whatever its grade.

    Args:
      manifest: as manifest.read_manifest returns it; eyes outside `splits` are left out.
      cache_dir: where to keep it; about image_size**2 * 4 bytes and the OCT volume an eye.
      image_size: side of the working image in pixels.
      oct_shape: (depth, width, slices), or None to leave the OCT out.
      crop_to_field: cut the black border around the photograph's field of view.
      splits: names of splits; "" is that of eyes without one.
      squares: id -> the square of the photograph that is seen, of eyes that have one; part of the
        key.

    Raises what reading a file raises, naming the file; then the eyes of whole packs are kept.
    """
    grid = WorkingGrid(image_size, oct_shape, crop_to_field)
    by_split = {split: rows for split in splits if (rows := manifest.split(split))}
    eyes = [eye for rows in by_split.values() for eye in rows]
    square_of = [(squares or {}).get(eye.id) for eye in eyes]
    settings = {**vars(grid), "file_format": FILE_FORMAT, "format_version": FORMAT_VERSION}

    def write(folder: Path, positions: list[int], before: int, total: int) -> Written:
        with quiet_logs():
            builder = MultimodalEyes(
                eyes=[eyes[i] for i in positions],
                squares=[square_of[i] for i in positions],
                grid=grid,
                progress=(before, total),
                data_dir=folder,
                file_format=FILE_FORMAT,
            )
        write_records(builder, folder)
        return [(1, None)] * len(positions)

    keys = [
        fingerprint(texts_of(eye, grid, square), files_of(eye, grid), settings)
        for eye, square in zip(eyes, square_of, strict=True)
    ]
    places = iter(prepared(Path(cache_dir), keys, write, record_bytes(grid)))
    entries, records, reader = {}, {}, PackReader()
    for split, rows in by_split.items():
        entries[split] = [entry_of(eye, grid) for eye in rows]
        packed = [reader.records(next(places)) for _ in rows]
        records[split] = _EyeRecords(packed, entries[split])
    names = manifest.grade_names
    return Store(grid, entries, records, "tf.data", squares=squares, grade_names=names)


def record_bytes(grid: WorkingGrid) -> int:
    """Size of a record, but for its native mask."""
    return 4 * grid.image_size**2 + math.prod(grid.oct_shape or (0,))
