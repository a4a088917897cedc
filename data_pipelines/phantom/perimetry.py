"""Visual field of an eye: 52 locations of the 24-2 pattern, and the indices MD, PSD and VFI."""

import dataclasses
import functools

import numpy as np

from data_pipelines.phantom import anatomy, angles, figures
from data_pipelines.phantom.latents import Latents

MM_PER_DEGREE = 0.29
BLIND_SPOT_DEGREES = (15.0, -1.5)


@dataclasses.dataclass(frozen=True)
class Field:
    """One visual-field test: total deviations (52,) in dB, and its indices."""

    total_deviation: np.ndarray
    md: float  # dB
    psd: float  # dB
    vfi: float  # percent


@functools.cache
def locations() -> np.ndarray:
    """(52, 2): x temporal-positive, y superior-positive, degrees of field (right eye)."""
    rows = {21: (-9, 9), 15: (-15, 15), 9: (-21, 21), 3: (-27, 21)}
    points = [
        (x, sign * y)
        for sign in (1, -1)
        for y, (first, last) in rows.items()
        for x in range(first, last + 1, 6)
        if not (x == 15 and y == 3)
    ]
    return np.array(points, dtype=np.float64)


@functools.cache
def entry_angles() -> np.ndarray:
    """(52,): where the fibres of each location enter the disc. The retina is the field inverted."""
    x, y = locations().T
    temporal = (BLIND_SPOT_DEGREES[0] - x) * MM_PER_DEGREE
    superior = (BLIND_SPOT_DEGREES[1] - y) * MM_PER_DEGREE
    return anatomy.entry_angle(temporal, superior)


def normal_sensitivity(age: float) -> np.ndarray:
    """(52,): age-normal sensitivity in dB: falls with eccentricity and by 0.7 dB a decade."""
    eccentricity = np.hypot(*locations().T)
    return 33.4 - 0.17 * eccentricity - 0.07 * (age - 45.0)


def retest_sd(sensitivity: np.ndarray) -> np.ndarray:
    """Standard deviation (dB) of a repeated measurement at a given true sensitivity (dB)."""
    low, high = figures.RETEST_SD_LOW_DB, figures.RETEST_SD_HIGH_DB
    return np.interp(
        sensitivity,
        [0.0, 8.0, 19.0, 24.0, 28.0, 32.0],
        [0.6 * low, low, low, 2.6, 1.6, high],
    )


def indices(total_deviation: np.ndarray, age: float) -> Field:
    """MD, PSD and VFI of total deviations (52,) in dB.

    MD and PSD: mean and standard deviation (no location weights). VFI after Bengtsson and Heijl
    (2008): percent of age-normal sensitivity where the pattern deviation is abnormal, elsewhere
    100, weighted towards the centre.
    """
    normal = normal_sensitivity(age)
    md = float(total_deviation.mean())
    psd = float(total_deviation.std(ddof=1))
    general = np.sort(total_deviation)[-7] if md > -20 else 0.0
    abnormal = total_deviation - general < -4.0
    percent = np.where(abnormal, 100.0 * (1 + total_deviation / normal), 100.0)
    weight = 1.0 / (1.0 + (np.hypot(*locations().T) / 12.0) ** 2)
    vfi = float(np.average(np.clip(percent, 0, 100), weights=weight))
    return Field(total_deviation, md, psd, vfi)


def true_sensitivity(latents: Latents, loss_db: np.ndarray) -> np.ndarray:
    """(52,): sensitivity in dB that this eye has, without the noise of testing."""
    loss = latents.function_gain * angles.lookup(loss_db, entry_angles()) + latents.media_loss
    return np.maximum(normal_sensitivity(latents.age) + np.array(latents.hill) - loss, 0.0)


def test(latents: Latents, loss_db: np.ndarray, rng: np.random.Generator) -> Field:
    """One noisy visual-field test of the eye."""
    normal = normal_sensitivity(latents.age)
    truth = true_sensitivity(latents, loss_db)
    day = 0.5 * rng.standard_normal()  # general level of that day
    noise = retest_sd(truth) * rng.standard_normal(52)
    measured = np.clip(truth + day + noise, 0.0, 40.0)
    return indices(measured - normal, latents.age)


def without_noise(latents: Latents, loss_db: np.ndarray) -> Field:
    """Indices of the eye's true sensitivity."""
    truth = true_sensitivity(latents, loss_db)
    return indices(truth - normal_sensitivity(latents.age), latents.age)
