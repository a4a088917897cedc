"""Sums over the B-scans of each volume, while they arrive in batches in any order."""

import numpy as np


class VolumeSums:
    """Float64 sums of per-B-scan values by volume, and how many B-scans each volume has shown.

    Args:
      num_volumes, width: V rows of `width` values.

    Attributes:
      total: (V, width) float64.
      count: (V,) int64.
    """

    def __init__(self, num_volumes: int, width: int) -> None:
        self.total = np.zeros((num_volumes, width))
        self.count = np.zeros(num_volumes, np.int64)

    def add(self, values: np.ndarray, row: np.ndarray, valid: np.ndarray) -> None:
        """Adds a batch.

        Args:
          values: (B, width), or (B,) where width is 1.
          row: (B,) the volume of each B-scan, 0..V-1.
          valid: (B,) bool; padding is left out, whatever its values.

        Raises:
          ValueError: a valid value is not finite; names the rows.
        """
        row = np.asarray(row)[valid]
        # (B,) or (B, width) -> (b, width)
        values = np.asarray(values, np.float64).reshape(len(valid), -1)[valid]
        bad = ~np.isfinite(values).all(axis=-1)
        if bad.any():
            rows = np.unique(row[bad]).tolist()
            raise ValueError(f"values that are not finite, of B-scans of the volumes {rows}")
        np.add.at(self.total, row, values)
        np.add.at(self.count, row, 1)

    def mean(self) -> np.ndarray:
        """(V, width) float64 means over the B-scans of each volume; NaN for one without any."""
        count = self.count[:, None]
        return np.where(count > 0, self.total / np.maximum(count, 1), np.nan)
