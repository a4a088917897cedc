"""Functions of the angle around the optic disc, tabulated.

One convention everywhere: 0 temporal, 90 superior, 180 nasal, 270 inferior (degrees), the same for
right and left eyes. Images mirror it: temporal is left in a right eye (OD), right in a left (OS).
"""

import numpy as np

NUM_ANGLES = 180
STEP_DEGREES = 360.0 / NUM_ANGLES
DEGREES = np.arange(NUM_ANGLES) * STEP_DEGREES
RADIANS = np.deg2rad(DEGREES)

# Sectors of the LEI-SFD data sheet (first and last degree).
SECTOR_DEGREES = {
    "T": (-45, 45),
    "TS": (46, 85),
    "NS": (86, 125),
    "N": (126, 235),
    "NI": (236, 275),
    "TI": (276, 315),
}


def difference(a: np.ndarray, b: np.ndarray | float) -> np.ndarray:
    """Signed difference of two angles in degrees, in -180..180."""
    return (np.asarray(a) - b + 180.0) % 360.0 - 180.0


def bump(centre: float, width: float) -> np.ndarray:
    """Gaussian bump of height 1 at `centre`, standard deviation `width` (degrees), tabulated."""
    return np.exp(-0.5 * (difference(DEGREES, centre) / width) ** 2)


def fourier(cosines: np.ndarray, sines: np.ndarray) -> np.ndarray:
    """Zero-mean Fourier series with the given coefficients of orders 1..n, tabulated."""
    orders = np.arange(1, len(cosines) + 1)
    # (angles, 1) x (1, orders) -> (angles, orders)
    phase = RADIANS[:, None] * orders[None, :]
    return np.cos(phase) @ cosines + np.sin(phase) @ sines


def lookup(table: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Value of a tabulated function at any angles, linearly interpolated; keeps float32."""
    position = np.asarray(degrees) * np.asarray(degrees).dtype.type(1.0 / STEP_DEGREES)
    low = np.floor(position)
    weight = position - low
    index = low.astype(np.int32) % NUM_ANGLES
    wrapped = np.append(table, table[:1]).astype(position.dtype)
    return wrapped[index] * (1 - weight) + wrapped[index + 1] * weight


def sector_means(table: np.ndarray) -> dict[str, float]:
    """Mean of a tabulated function over each of the six sectors."""
    means = {}
    for name, (first, last) in SECTOR_DEGREES.items():
        middle = 0.5 * (first + last)
        inside = np.abs(difference(DEGREES, middle)) <= 0.5 * (last - first) + 0.5
        means[name] = float(table[inside].mean())
    return means
