"""What the numbers of an OCT volume mean, where nothing says it: black, white, and how sure that is."""

from __future__ import annotations

import dataclasses

import numpy as np

GREY = "8-bit grey"
UNIT = "0 to 1"
BITS = "12 or 16 bits, stretched"
LOGARITHMS = "logarithms, stretched"
DECIBEL = "decibel, stretched"
SIGNED = "numbers below 0, stretched"

AS_SAID = "as said"  # ends the words for a range that a flag or column gives

# Of such numbers it is a guess that they are what they are taken for.
GUESSED = (LOGARITHMS, DECIBEL, SIGNED)

# A decimal logarithm of a signal stays below this, decibel reach beyond.
_MOST_LOGARITHM = 15
# A value of at least this share of the voxels may be one that stands for "nothing here".
_FILL_SHARE = 0.001


@dataclasses.dataclass(frozen=True)
class Numbers:
    """How the numbers of a volume are taken.

    Attributes:
      kind: in words, as GREY.
      low, high: what becomes black and white, of the volume's own numbers.
      fill: (value, share of the voxels) of a number below all others that stands for "not scanned"
        and becomes black; None where there is none.
      unknown: why black and white cannot be known; None where they can.
    """

    kind: str
    low: float
    high: float
    fill: tuple[float, float] | None = None
    unknown: str | None = None


def meaning(volume: np.ndarray) -> Numbers:
    """Judges the numbers of a volume by their type and their 0.1 and 99.9 percentiles.

    So a few voxels beyond change nothing. uint8 is grey, and so is what ends between 128 and 255;
    0..1 is as it says; every other range (logarithms, decibel, 12 or 16 bits, numbers below 0) is
    stretched from percentile to percentile. A number below 0 that lies further from all others than
    they lie apart, and is not rare, is a fill value. One that lies so far above them, and numbers
    that are nearly all the same, leave it unknown what is white.

    Args:
      volume: (slices, depth, width), uint8 or floats.

    Raises:
      ValueError: a value that is not finite.
    """
    if volume.dtype == np.uint8:
        return Numbers(GREY, 0, 255)
    least, most = float(volume.min()), float(volume.max())
    if not np.isfinite([least, most]).all():
        raise ValueError("the volume holds NaN or infinite values")
    sample = _sample(volume)
    fill = _fill(sample, least) if least < 0 else None
    if fill is not None:
        sample = sample[sample > fill[0]]
        least = float(sample.min())
    above = _fill(-sample, -most)
    low, high = (float(end) for end in np.percentile(sample, [0.1, 99.9]))
    kind, low, high = _kind(low, high, least, most)
    unknown = None
    if above is not None:
        unknown = (
            f"holds {most:.6g} in {above[1]:.1%} of its voxels, far above all others: whether that "
            "is white or stands for 'nothing here' cannot be known"
        )
    elif high <= low:
        unknown = f"holds {low:.6g} in nearly all of its voxels: what white is cannot be known"
        low, high = least, most
    return Numbers(kind, low, high, fill, unknown)


def _kind(low: float, high: float, least: float, most: float) -> tuple[str, float, float]:
    """(kind, number of black, number of white) from percentiles and ends."""
    if (least >= 0 and most <= 1) or (low >= -0.02 and 0.5 <= high <= 1.02):
        return UNIT, 0.0, 1.0
    if low >= -1 and 128 <= high <= 255.5:
        return GREY, 0.0, 255.0
    if low < -1:
        return SIGNED, low, high
    if high > 255.5:
        return BITS, low, high
    return (DECIBEL if high > _MOST_LOGARITHM else LOGARITHMS), low, high


def _fill(sample: np.ndarray, least: float) -> tuple[float, float] | None:
    """(`least`, its share) where it is not rare and further from the rest than they lie apart."""
    others = sample[sample > least]
    share = 1 - len(others) / len(sample)
    if not len(others) or share < _FILL_SHARE:
        return None
    first, last = float(others.min()), float(others.max())
    return (least, share) if last > first and first - least > last - first else None


def _sample(volume: np.ndarray) -> np.ndarray:
    """About a million of a volume's numbers, enough for percentiles; an odd step visits all columns."""
    step = max(1, volume.size // 1_000_000) | 1
    return volume.reshape(-1)[::step]
