"""Classes that a copy of a set has exchanged, as visual fields tell."""

import numpy as np

from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.screening import ScreeningVolume


def swapped_classes(volumes: list[ScreeningVolume]) -> list[Problem]:
    """A problem where eyes called normal see worse than those called glaucoma."""
    normal, ill = (
        [v.md for v in volumes if v.glaucoma == g and v.md is not None] for g in (0, 1)
    )
    if not normal or not ill or np.mean(normal) >= np.mean(ill):
        return []
    reason = (
        f"the mean deviation is {np.mean(normal):.2f} dB in eyes of glaucoma 0 and {np.mean(ill):.2f} "
        "in those of 1: are the two swapped in this copy?"
    )
    return [Problem(None, None, reason)]
