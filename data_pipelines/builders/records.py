"""What the builders share: how records are stored and written by TFDS."""

import contextlib
import io
import shutil
from pathlib import Path

import numpy as np

from data_pipelines.load.quiet_tensorflow import import_tensorflow
from data_pipelines.load.tfds_records import quiet_logs

_, tfds = import_tensorflow()


class LocalInfo(tfds.core.DatasetInfo):
    """A DatasetInfo that does not ask a bucket for what it knows of the data set.

    Asking leaves an empty temporary folder behind each time.
    """

    def initialize_from_bucket(self) -> None:
        """Nothing is known anywhere else."""


def raw(shape: tuple[int, ...]) -> tfds.features.Tensor:
    """The feature of a uint8 array that is stored as raw bytes, which cost no decoding."""
    return tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding=tfds.features.Encoding.BYTES)


def ordered_key(group: int, groups: int, member: int = 0) -> int:
    """TFDS's key of a record in a split whose records keep their order: by group, then member.

    TFDS sorts what is larger than 1 GB in pieces that it tells by the highest of 128 bits; keys
    0, 1, 2, ... would all be in one piece, which is held in memory whole.
    """
    return 2**128 // groups * group + member


def write_records(builder: tfds.core.DatasetBuilder, folder: Path) -> None:
    """Writes the builder's records without its chatter, and without looking at the network."""
    settings = tfds.download.DownloadConfig(
        try_download_gcs=False, compute_stats=tfds.download.ComputeStatsMode.SKIP
    )
    downloads = folder / "downloads"
    with quiet_logs(), contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(download_dir=downloads, download_config=settings)
    shutil.rmtree(downloads, ignore_errors=True)


def records_folder(folder: Path) -> Path:
    """The folder of the builder's files: name/config/version, one of each."""
    return next(folder.glob("*/*/*/dataset_info.json")).parent
