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
GREY_NERVE = 135.0  # rim tissue at its surface
GREY_LAMINA = 42.0  # added by the lamina cribrosa

TAPER_MM = 0.35  # over which the layers below the RNFL taper towards the disc,
TAPER_LEFT = 0.35  # to this share of their thickness


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
    lamina: np.ndarray  # depth of the front of the lamina cribrosa
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
    taper = TAPER_LEFT + (1 - TAPER_LEFT) * _step((radius - disc) / TAPER_MM)
    loss = angles.lookup(1 - 10 ** (-0.1 * shape.loss_db), degrees)
    below = [np.float32(um) * taper for um in figures.LAYERS_BELOW_UM]
    below[0] = below[0] * (1 - np.float32(0.30) * loss)
    # Within the disc the same height is continued to the margin only.
    rnfl = rnfl_thickness(shape, np.maximum(radius, disc), degrees)
    height = rnfl + sum(below)

    # From the margin the surface of the rim falls into the cup.
    deep = latents.cup_depth * (-200.0 + 720.0 * (shape.cup.mean() / shape.disc.mean()) ** 1.2)
    wall = _step((radius - 0.62 * cup) / np.maximum(disc - 0.62 * cup, 0.10))
    inside = np.clip((disc - radius) / np.float32(0.05) + 0.5, 0, 1).astype(np.float32)
    fall = np.where(radius < disc, (1 - wall) * (height + deep), 0)
    top = pigment - height + fall

    stack = [top, top + rnfl]
    for layer in below[:-1]:
        stack.append(stack[-1] + layer)
    stack.append(pigment)
    # The lamina lies under the cup floor, and nearer to it the more nerve tissue is gone.
    prelaminar = 150.0 - 90.0 * loss.mean()
    lamina = (
        pigment + np.float32(deep + prelaminar) - np.float32(0.25) * np.maximum(-fall + deep, 0)
    )
    boundaries = np.stack(stack).astype(np.float32)
    return Surfaces(boundaries, inside, lamina.astype(np.float32), temporal, superior)


def rnfl_thickness(shape: Anatomy, radius: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """RNFL (micron) anywhere: the ring's value, thicker towards the disc where axons converge."""
    ring = angles.lookup(shape.rnfl, degrees)
    ratio = np.float32(anatomy.RING_RADIUS_MM) / np.clip(radius, 0.75, 4.0)
    return (ring * ratio ** np.float32(0.75)).astype(np.float32)


def render(latents: Latents, shape: Anatomy, tree: list, rng: np.random.Generator) -> np.ndarray:
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
    """Noise-free grey values (SLICES, WIDTH, DEPTH) float32."""
    pixel = np.arange(DEPTH, dtype=np.float32)

    def below(depth: np.ndarray) -> np.ndarray:
        """Fraction of each voxel that lies below a depth in micron: (..., DEPTH)."""
        share = pixel + (1 - depth * np.float32(1 / UM_PER_PIXEL))[..., None]
        return np.clip(share, 0, 1, out=share)

    grey = np.full((SLICES, WIDTH, DEPTH), GREY_VITREOUS, np.float32)
    above = GREY_VITREOUS
    for boundary, value in zip(maps.boundaries, (*GREY_LAYERS, GREY_CHOROID), strict=True):
        cover = below(boundary)
        cover *= np.float32(value - above)
        grey += cover
        above = value
    # Light fades in the choroid: a share of the grey value above the deep level is lost per pixel.
    z = (pixel + np.float32(0.5)) * np.float32(UM_PER_PIXEL)
    under = z - maps.boundaries[-1][..., None]
    fade = np.exp(np.maximum(under, 0, out=under) * np.float32(-1 / 170.0))
    grey -= np.float32(GREY_DEEP)
    grey *= fade
    grey += np.float32(GREY_DEEP)

    # Inside Bruch's opening there are no layers: nerve tissue, the lamina, and then darkness.
    inside = maps.inside > 0
    share = maps.inside[inside][:, None]
    top, lamina = maps.boundaries[0][inside], maps.lamina[inside]
    depth = np.maximum(z - top[:, None], 0)
    nerve = GREY_DEEP + (GREY_NERVE - GREY_DEEP) * np.exp(depth * np.float32(-1 / 260.0))
    tissue = GREY_VITREOUS + below(top) * (nerve - GREY_VITREOUS)
    band = (z - lamina[:, None] - np.float32(70)) * np.float32(1 / 70.0)
    tissue = tissue + GREY_LAMINA * np.exp(-(band**2)) * below(top)
    grey[inside] += share * (tissue - grey[inside])

    # Vessels shade what lies below them; where there is none, nothing is to be done.
    shaded = vessel > 0.02
    start = np.where(maps.inside > 0.5, maps.boundaries[0] + 60, maps.boundaries[1])[shaded]
    grey[shaded] *= 1 - below(start) * np.float32(scanner.shadow) * vessel[shaded][:, None]
    return grey


def _acquire(grey: np.ndarray, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Speckle, detector noise and signal strength: uint8 (SLICES, DEPTH, WIDTH)."""
    signal = (grey - np.float32(16)) * np.float32(scanner.signal) + np.float32(16)
    # Fully developed speckle on the fourth-root scale: E^(1/4) has mean 0.906 and SD 0.254.
    speckle = np.sqrt(np.sqrt(rng.standard_exponential(grey.shape, dtype=np.float32)))
    factor = 1 + np.float32(scanner.speckle) * (speckle / np.float32(0.906) - 1)
    floor = rng.standard_normal(grey.shape, dtype=np.float32) * np.float32(7)
    volume = np.clip(signal * factor + floor, 0, 255).astype(np.uint8)
    # (slices, width, depth) -> (slices, depth, width)
    return np.ascontiguousarray(volume.transpose(0, 2, 1))
