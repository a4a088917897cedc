"""The fundus camera: where the eye lies in the photograph, and everything that spoils the picture.

All of it is nuisance: drawn per photograph, independent of the eye's state and of its OCT volume.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from data_pipelines.phantom.latents import Latents

SIZE = 512
FIELD_RADIUS = 246.0  # pixels
PIXELS_PER_MM = 2 * FIELD_RADIUS / 8.75  # a field of about 30 degrees

FLARE = (236.0, 176.0, 140.0)  # colour of light scattered in the lens, at haze 1
KNEE = 205.0  # grey value above which highlights are compressed


@dataclasses.dataclass(frozen=True)
class Camera:
    """Nuisance of one photograph."""

    centre: tuple[float, float]  # of the disc: column, row
    blur: float  # pixels
    haze: float  # share of scattered light
    gain: tuple[float, float, float]  # of red, green, blue
    slope: tuple[float, float]  # of the illumination, to the right and downwards
    vignette: float
    noise: float  # grey values
    quality: int  # of the JPEG
    notch: bool  # the square tab at the rim of the field that some cameras draw
    cut: float  # height of the field that is exposed, 1 for all
    atrophy: float  # peripapillary, in mm
    atrophy_angle: float  # degrees


def draw_camera(latents: Latents, rng: np.random.Generator) -> Camera:
    """Draw the nuisance of one photograph; the disc lies to the nasal side of the centre."""
    nasal = 1 if latents.side == "OD" else -1
    shift = 32.0 * np.clip(rng.standard_normal(2), -2, 2)
    exposure, warmth, tint = rng.normal(0, (0.09, 0.07, 0.04))
    return Camera(
        centre=(SIZE / 2 + nasal * 22.0 + float(shift[0]), SIZE / 2 + float(shift[1])),
        blur=float(rng.uniform(0.4, 1.6)),
        haze=float(np.clip(rng.gamma(1.4, 0.07), 0, 0.4)),
        gain=tuple(
            float(np.exp(exposure + v)) for v in (0.3 * warmth, -0.5 * warmth + tint, -1.2 * warmth)
        ),
        slope=tuple(float(v) for v in rng.normal(0, 0.11, 2)),
        vignette=float(rng.uniform(0.05, 0.30)),
        noise=float(rng.uniform(1.0, 4.0)),
        quality=int(rng.integers(78, 96)),
        notch=bool(rng.random() < 0.3),
        cut=float(rng.uniform(0.86, 0.97)) if rng.random() < 0.3 else 1.0,
        atrophy=float(max(0.0, rng.normal(0.06, 0.16))),
        atrophy_angle=float(rng.normal(-15, 40)),
    )


@dataclasses.dataclass(frozen=True)
class Grid:
    """Pixels of one photograph in the eye's own coordinates, all float32."""

    temporal: np.ndarray  # (height, width) mm from the disc centre
    superior: np.ndarray  # (height, width) mm
    radius: np.ndarray  # (height, width) mm
    degrees: np.ndarray  # (height, width) angle around the disc


def pixels_per_mm(latents: Latents) -> float:
    """Scale of the photograph of one eye."""
    return PIXELS_PER_MM * latents.optics


def to_pixels(latents: Latents, camera: Camera, points: np.ndarray) -> np.ndarray:
    """(n, 2) mm (temporal, superior) -> (n, 2) pixel (column, row)."""
    scale = pixels_per_mm(latents)
    mirror = -1.0 if latents.side == "OD" else 1.0
    column = camera.centre[0] + mirror * scale * points[:, 0]
    return np.stack([column, camera.centre[1] - scale * points[:, 1]], axis=1)


def make_grid(latents: Latents, camera: Camera, rows: slice, columns: slice, step: int = 1) -> Grid:
    """Coordinates of the pixel centres of a window, every `step` pixels."""
    scale = pixels_per_mm(latents)
    mirror = -1.0 if latents.side == "OD" else 1.0
    offset = 0.5 * (step - 1)
    across = np.arange(columns.start, columns.stop, step) + offset - camera.centre[0]
    down = np.arange(rows.start, rows.stop, step) + offset - camera.centre[1]
    temporal, superior = np.broadcast_arrays(
        (across * mirror / scale).astype(np.float32)[None, :],
        (-down / scale).astype(np.float32)[:, None],
    )
    radius = np.hypot(temporal, superior)
    degrees = np.arctan2(superior, temporal) * np.float32(180 / np.pi)
    return Grid(temporal, superior, radius, degrees)


def expose(camera: Camera, planes: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Take the picture of three colour planes (SIZE, SIZE) float32: uint8 (SIZE, SIZE, 3)."""
    axis = (np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2) / np.float32(FIELD_RADIUS)
    right, down = axis[None, :], axis[:, None]
    squared = right**2 + down**2
    light = 1 + np.float32(camera.slope[0]) * right + np.float32(camera.slope[1]) * down
    light = light + np.float32(camera.vignette) * (np.float32(0.4) - squared)
    border = _field_of_view(camera, right, down, squared)
    grain = rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    picture = np.empty((SIZE, SIZE, 3), np.uint8)
    for k, plane in enumerate(planes):
        plane = ndimage.gaussian_filter(plane, camera.blur, truncate=2.5)
        plane += np.float32(camera.haze) * (np.float32(FLARE[k]) - plane)
        plane *= light * np.float32(camera.gain[k])
        over = np.maximum(plane - np.float32(KNEE), 0)
        plane += (255 - np.float32(KNEE)) * (1 - np.exp(over / np.float32(KNEE - 255))) - over
        # Sensor noise: shared by the channels, and coarser in each after colour interpolation.
        own = rng.standard_normal((SIZE // 2, SIZE // 2), dtype=np.float32)
        plane += np.float32(0.6 * camera.noise) * grain
        plane += np.float32(0.5 * camera.noise) * own.repeat(2, axis=0).repeat(2, axis=1)
        picture[..., k] = np.clip(plane * border, 0, 255)
    return picture


def _field_of_view(
    camera: Camera, right: np.ndarray, down: np.ndarray, squared: np.ndarray
) -> np.ndarray:
    """Exposed part of the frame (SIZE, SIZE) float32 in 0..1: round, maybe cut, maybe notched."""
    border = np.clip((1 - np.sqrt(squared)) * np.float32(FIELD_RADIUS), 0, 1)
    border = border * (np.abs(down) < camera.cut)
    if camera.notch:
        along, across = (right - down) * np.float32(0.7071), (right + down) * np.float32(0.7071)
        border = np.maximum(border, (along > 0.9) & (along < 1.045) & (np.abs(across) < 0.055))
    return border
