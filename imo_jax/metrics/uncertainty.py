"""Whether a map of uncertainty points at the pixels that are wrong."""

import numpy as np

from imo_jax.labels import IGNORE
from imo_jax.metrics.ranking import auc


def error_auroc(uncertainty: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> float:
    """P(a wrong pixel is more uncertain than a right one), over the pixels that have a label.

    Args:
      uncertainty: (H, W) float, higher = less certain (entropy, mutual information, spread).
      predicted: (H, W) ids.
      truth: (H, W) ids, 255 = ignore.

    Returns:
      0..1, 0.5 = the map says nothing; NaN where every pixel is right, or every one wrong.
    """
    kept = truth != IGNORE
    return float(auc(uncertainty[kept], predicted[kept] != truth[kept]))
