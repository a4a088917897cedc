"""TensorBoard files, written without TensorFlow."""

import pathlib
from collections.abc import Mapping

import numpy as np
from tensorboardX import SummaryWriter


class TensorBoard:
    """Writes scalars and images of a run to `directory`.

    Args:
      directory: made if it does not exist.
      step: steps done before this run began: what an interrupted run wrote after it is hidden.
    """

    def __init__(self, directory: str | pathlib.Path, step: int = 0) -> None:
        self._writer = SummaryWriter(str(directory), purge_step=step + 1 if step else None)

    def scalars(self, step: int, values: Mapping[str, float], prefix: str) -> None:
        """Writes `prefix/name` for each value."""
        for name, value in values.items():
            self._writer.add_scalar(f"{prefix}/{name}", value, step)

    def images(self, step: int, images: Mapping[str, np.ndarray], prefix: str) -> None:
        """Writes `prefix/name` for each image, (H, W, 3) uint8."""
        for name, image in images.items():
            self._writer.add_image(f"{prefix}/{name}", image, step, dataformats="HWC")

    def close(self) -> None:
        """Flushes and closes the file."""
        self._writer.close()
