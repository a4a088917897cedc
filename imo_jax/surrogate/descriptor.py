"""Norm-3 pooling: the features of a volume's B-scans as one descriptor (SEMT, section 2.1)."""

import numpy as np

from imo_jax.volume_sums import VolumeSums

# Pooling -> (sums of cubes (V, C), B-scans (V, 1)) -> what the cube root is taken of.
POOLINGS = {
    "sum": lambda cubes, count: cubes,  # as printed; grows with the number of B-scans
    "mean": lambda cubes, count: cubes / count,  # the generalised mean, free of that number
}


class Norm3Pooling:
    """F = (sum_i f_i^3)^(1/3) of each volume, element by element, over batches of B-scans.

    Cubes are summed in float64 and the cube root is exact: nothing is clamped, 0 stays 0. (A clamp
    at 1e-6 as pooling layers have it, for the gradient, would make 0.01 of it.)

    Args:
      num_volumes, channels: V volumes of C features.
      kind: one of POOLINGS.

    Raises:
      ValueError: unknown `kind`.
    """

    def __init__(self, num_volumes: int, channels: int, kind: str = "sum") -> None:
        if kind not in POOLINGS:
            raise ValueError(f"pooling is {kind!r}; choose one of {', '.join(POOLINGS)}")
        self._kind = kind
        self._cubes = VolumeSums(num_volumes, channels)

    def add(self, features: np.ndarray, row: np.ndarray, valid: np.ndarray) -> None:
        """Adds B-scans: features (B, C), their volumes (B,) and which are no padding (B,) bool.

        Raises:
          ValueError: features that are not finite.
        """
        self._cubes.add(np.asarray(features, np.float64) ** 3, row, valid)

    def descriptors(self) -> np.ndarray:
        """(V, C) float32.

        Raises:
          ValueError: a volume of which no B-scan was added; names the first few.
        """
        count = self._cubes.count
        empty = np.flatnonzero(count == 0)
        if len(empty):
            raise ValueError(f"no B-scan of {len(empty)} volumes, of row {empty[:5].tolist()}...")
        pooled = POOLINGS[self._kind](self._cubes.total, count[:, None])
        return np.cbrt(pooled).astype(np.float32)


def norm3(features: np.ndarray, kind: str = "sum") -> np.ndarray:
    """Descriptor of a single volume: (n, C) features of its B-scans -> (C,) float32."""
    pooling = Norm3Pooling(1, features.shape[-1], kind)
    pooling.add(features, np.zeros(len(features), np.int64), np.ones(len(features), bool))
    return pooling.descriptors()[0]
