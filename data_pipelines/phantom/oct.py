"""Optic-disc OCT cube of an eye.

The cube is centred near the optic nerve head, 6 x 6 mm, unlike GAMMA's, which is macular. Axes:
slice from superior to inferior, depth from vitreous to choroid, width as in the photograph (so a
mirrored photograph goes with a cube mirrored along its width).
"""

import dataclasses

import numpy as np
from scipy import ndimage

from data_pipelines.phantom import anatomy, angles, figures, vessels
from data_pipelines.phantom.anatomy import Anatomy
from data_pipelines.phantom.latents import Latents

SLICES, DEPTH, WIDTH = 32, 128, 128
CUBE_MM = 6.0
UM_PER_PIXEL = 10.0

# Grey values of the real ring B-scan (fourth root of intensity): vitreous, the eight layers from
# RNFL to RPE, then the choroid below.
GREY_VITREOUS = 28.0
GREY_LAYERS = (150.0, 90.0, 58.0, 68.0, 40.0, 88.0, 79.0, 150.0)
GREY_CHOROID = 58.0
GREY_DEEP = 18.0
GREY_DISC_TISSUE = 120.0
GREY_LAMINA = 105.0

MARGIN_MM = 0.30  # over which the layers below the RNFL taper towards the disc


@dataclasses.dataclass(frozen=True)
class Scanner:
    """Nuisance of one volume; independent of the eye's state and of the photograph."""

    centre: tuple[float, float]  # of the disc: mm to the right, mm down
    base: float  # depth of the pigment epithelium, micron
    tilt: tuple[float, float]  # micron per mm
    curvature: float  # micron per mm^2
    motion: np.ndarray  # (SLICES,) micron
    drift: np.ndarray  # (SLICES,) mm
    signal: float
    speckle: float
    shadow: float


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """Draw the nuisance of one volume."""
    return Scanner(
        centre=tuple(np.clip(rng.normal(0, 0.22, 2), -0.6, 0.6)),
        base=float(rng.normal(720, 45)),
        tilt=tuple(rng.normal(0, (28, 16))),
        curvature=float(rng.normal(-4, 5)),
        motion=ndimage.gaussian_filter1d(rng.normal(0, 10, SLICES), 0.7),
        drift=ndimage.gaussian_filter1d(rng.normal(0, 0.05, SLICES), 0.7),
        signal=float(np.clip(rng.normal(1.0, 0.13), 0.6, 1.25)),
        speckle=float(rng.uniform(0.8, 1.2)),
        shadow=float(rng.uniform(0.45, 0.75)),
    )


@dataclasses.dataclass(frozen=True)
class Surfaces:
    """Depths in micron, float32 (SLICES, WIDTH), increasing downwards; masks in 0..1."""

    boundaries: np.ndarray  # (9, SLICES, WIDTH): vitreous|RNFL ... RPE|choroid
    inside: np.ndarray  # 1 within Bruch's membrane opening
    cup_floor: np.ndarray  # depth of the lamina's front, inside
    temporal: np.ndarray  # mm
    superior: np.ndarray  # mm


def _step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def surfaces(latents: Latents, shape: Anatomy, scanner: Scanner) -> Surfaces:
    """Layer boundaries of the eye as the scanner sees them."""
    pitch_x, pitch_y = CUBE_MM / WIDTH, CUBE_MM / SLICES
    right = (np.arange(WIDTH) + 0.5) * pitch_x - CUBE_MM / 2 - scanner.centre[0]
    down = (np.arange(SLICES) + 0.5) * pitch_y - CUBE_MM / 2 - scanner.centre[1]
    right = (right[None, :] - scanner.drift[:, None]).astype(np.float32)
    down = np.broadcast_to(down[:, None], right.shape).astype(np.float32)
    mirror = np.float32(-1.0 if latents.side == "OD" else 1.0)
    temporal, superior = mirror * right, -down
    radius = np.hypot(temporal, superior)
    degrees = np.rad2deg(np.arctan2(superior, temporal))
    disc = angles.lookup(shape.disc, degrees)
    cup = angles.lookup(shape.cup, degrees)

    pigment = (
        scanner.base
        + scanner.tilt[0] * right
        + scanner.tilt[1] * down
        + scanner.curvature * radius**2
        + scanner.motion[:, None]
    ).astype(np.float32)
    # Layers below the RNFL: real mean thicknesses, the ganglion-cell layer thinner with axon loss,
    # all of them tapering to nothing at Bruch's opening.
    taper = _step((radius - disc) / MARGIN_MM)
    loss = angles.lookup(1 - 10 ** (-0.1 * shape.loss_db), degrees)
    below = [np.float32(um) * taper for um in figures.LAYERS_BELOW_UM]
    below[0] = below[0] * (1 - 0.30 * loss)
    rnfl = rnfl_thickness(shape, radius, degrees)

    # Inside the disc the surface falls from the rim's height into the cup.
    edge = angles.lookup(shape.rnfl, degrees) * 1.15 + 95.0
    deep = 140.0 + 520.0 * latents.cup_depth * (shape.cup.mean() / shape.disc.mean()) ** 1.5
    slope = _step((radius - 0.55 * cup) / np.maximum(disc * 0.98 - 0.55 * cup, 0.08))
    steep = slope ** np.float32(0.8)
    surface_inside = pigment + deep - steep * (deep + edge)
    surface_outside = pigment - sum(below) - rnfl
    inside = _step((disc - radius) / 0.06 + 0.5)
    top = surface_outside + inside * (surface_inside - surface_outside)
    stack = [top, top + rnfl * (1 - inside)]
    depth = stack[-1]
    total = np.maximum(sum(below), 1e-3)
    room = np.maximum(pigment - depth, 0.0)
    for layer in below[:-1]:
        depth = depth + layer / total * room
        stack.append(depth)
    stack.append(pigment)
    boundaries = np.stack(stack).astype(np.float32)
    prelaminar = 170.0 - 110.0 * loss.mean()
    floor = np.maximum(top, pigment + 0.55 * deep) + np.float32(prelaminar)
    return Surfaces(boundaries, inside.astype(np.float32), floor, temporal, superior)


def rnfl_thickness(shape: Anatomy, radius: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """RNFL (micron) anywhere: the ring's value, thicker towards the disc where axons converge."""
    ring = angles.lookup(shape.rnfl, degrees)
    ratio = np.float32(anatomy.RING_RADIUS_MM) / np.clip(radius, 0.75, 4.0)
    return (ring * ratio ** np.float32(0.75)).astype(np.float32)


def render(
    latents: Latents, shape: Anatomy, tree: list, rng: np.random.Generator
) -> np.ndarray:
    """Draw one volume of the eye: uint8 (SLICES, DEPTH, WIDTH)."""
    scanner = draw_scanner(rng)
    maps = surfaces(latents, shape, scanner)
    vessel = vessel_map(latents, tree, scanner)
    grey = _reflectance(maps, vessel, scanner)
    return _acquire(grey, scanner, rng)


def vessel_map(latents: Latents, tree: list, scanner: Scanner) -> np.ndarray:
    """Coverage (SLICES, WIDTH) of each A-scan by vessels."""
    fine = 256
    per_mm = fine / CUBE_MM
    mirror = -1.0 if latents.side == "OD" else 1.0

    def to_pixels(points):
        return np.stack(
            [
                fine / 2 + per_mm * (scanner.centre[0] + mirror * points[:, 0]),
                fine / 2 + per_mm * (scanner.centre[1] - points[:, 1]),
            ],
            axis=1,
        )

    cover = vessels.raster(
        tree, shape=(fine, fine), to_pixels=to_pixels, pixels_per_mm=per_mm, artery=None
    )
    # A B-scan is thin: take the middle rows of each slice. (256, 256) -> (32, 8, 128, 2).
    blocks = cover.reshape(SLICES, fine // SLICES, WIDTH, fine // WIDTH)
    return blocks[:, 3:5].mean(axis=(1, 3))


def _reflectance(maps: Surfaces, vessel: np.ndarray, scanner: Scanner) -> np.ndarray:
    """Noise-free grey values (SLICES, DEPTH, WIDTH) float32."""
    z = (np.arange(DEPTH, dtype=np.float32) + 0.5) * np.float32(UM_PER_PIXEL)
    z = z[None, :, None]

    def below(depth: np.ndarray) -> np.ndarray:
        """Fraction of each voxel that lies below a boundary (SLICES, WIDTH)."""
        return np.clip((z - depth[:, None, :]) * np.float32(1 / UM_PER_PIXEL) + 0.5, 0, 1)

    shade = (1 - np.float32(scanner.shadow) * vessel)[:, None, :]
    outside = (1 - maps.inside)[:, None, :]
    grey = np.full((SLICES, DEPTH, WIDTH), GREY_VITREOUS, np.float32)
    previous = GREY_VITREOUS
    covers = [below(boundary) for boundary in maps.boundaries]
    values = (*GREY_LAYERS, GREY_CHOROID)
    for number, (cover, value) in enumerate(zip(covers, values, strict=True)):
        grey += cover * np.float32(value - previous)
        previous = value
    # The choroid darkens with depth.
    under = np.maximum(z - maps.boundaries[-1][:, None, :], 0)
    grey -= (GREY_CHOROID - GREY_DEEP) * (1 - np.exp(under * np.float32(-1 / 170.0))) * covers[-1]
    top = covers[0]
    # Inside Bruch's opening there are no layers: nerve tissue, then the lamina, then shadow.
    lamina = below(maps.cup_floor)
    past = np.maximum(z - maps.cup_floor[:, None, :], 0)
    tissue = GREY_VITREOUS + top * np.float32(GREY_DISC_TISSUE - GREY_VITREOUS)
    depth_in = np.maximum(z - maps.boundaries[0][:, None, :], 0)
    tissue = tissue - top * 45 * (1 - np.exp(depth_in * np.float32(-1 / 180.0)))
    tissue = tissue + lamina * (GREY_LAMINA - 80.0) * np.exp(past * np.float32(-1 / 130.0))
    tissue = tissue - lamina * 62 * (1 - np.exp(past * np.float32(-1 / 220.0)))
    grey = outside * grey + (1 - outside) * tissue
    # Vessels shade what lies below them.
    vessel_floor = np.where(maps.inside > 0.5, maps.boundaries[0] + 60, maps.boundaries[1])
    grey *= 1 - below(vessel_floor) * (1 - shade)
    return grey


def _acquire(grey: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Speckle, detector noise and signal strength."""
    signal = (grey - np.float32(16)) * np.float32(scanner.signal) + np.float32(16)
    # Fully developed speckle on the fourth-root scale: E^(1/4) has mean 0.906 and SD 0.254.
    speckle = np.sqrt(np.sqrt(rng.standard_exponential(grey.shape, dtype=np.float32)))
    factor = 1 + np.float32(scanner.speckle) * (speckle / np.float32(0.906) - 1)
    # A little of each A-scan's light reaches its neighbours.
    factor = 0.7 * factor + 0.3 * np.roll(factor, 1, axis=2)
    floor = rng.standard_normal(grey.shape, dtype=np.float32) * np.float32(7)
    return np.clip(signal * factor + floor, 0, 255).astype(np.uint8)
