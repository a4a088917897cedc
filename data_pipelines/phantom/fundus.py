"""Colour fundus photograph of an eye and its mask of rim and cup."""

import dataclasses

import numpy as np
from PIL import Image
from scipy import ndimage

from data_pipelines.phantom import anatomy, angles, vessels
from data_pipelines.phantom.anatomy import Anatomy
from data_pipelines.phantom.latents import Latents

SIZE = 512
FIELD_RADIUS = 246.0  # pixels
PIXELS_PER_MM = 2 * FIELD_RADIUS / 8.75  # a field of about 30 degrees
MASK_RIM, MASK_CUP = 1, 2


@dataclasses.dataclass(frozen=True)
class Camera:
    """Nuisance of one photograph; independent of the eye's state."""

    centre: tuple[float, float]  # of the disc: column, row
    blur: float
    haze: float
    gain: np.ndarray  # (3,)
    slope: np.ndarray  # (2,) of the illumination
    vignette: float
    noise: float
    quality: int
    notch: bool
    atrophy: float
    atrophy_angle: float
    cut: float


def draw_camera(latents: Latents, rng: np.random.Generator) -> Camera:
    """Draw the nuisance of one photograph; the disc lies to the nasal side of the centre."""
    nasal = 1 if latents.side == "OD" else -1
    return Camera(
        centre=(
            SIZE / 2 + nasal * 22 + 30 * float(np.clip(rng.standard_normal(), -2, 2)),
            SIZE / 2 + 30 * float(np.clip(rng.standard_normal(), -2, 2)),
        ),
        blur=float(rng.uniform(0.5, 1.7)),
        haze=float(np.clip(rng.gamma(1.5, 0.06), 0, 0.4)),
        gain=np.exp(rng.normal(0, (0.08, 0.10, 0.14))),
        slope=rng.normal(0, 0.12, 2),
        vignette=float(rng.uniform(0.10, 0.35)),
        noise=float(rng.uniform(1.0, 3.5)),
        quality=int(rng.integers(78, 96)),
        notch=bool(rng.random() < 0.3),
        atrophy=float(max(0.0, rng.normal(0.15, 0.35))),
        atrophy_angle=float(rng.normal(-15, 40)),
        cut=float(rng.choice([1.0, 1.0, rng.uniform(0.86, 0.97)])),
    )


@dataclasses.dataclass(frozen=True)
class Grid:
    """Pixel grids of one photograph in the eye's own coordinates, float32 (SIZE, SIZE)."""

    temporal: np.ndarray  # mm
    superior: np.ndarray  # mm
    radius: np.ndarray  # mm from the disc centre
    degrees: np.ndarray  # angle around the disc
    scale: float  # pixels per mm
    mirror: float


def make_grid(latents: Latents, camera: Camera) -> Grid:
    scale = PIXELS_PER_MM * latents.optics
    mirror = -1.0 if latents.side == "OD" else 1.0
    columns = (np.arange(SIZE, dtype=np.float32) - np.float32(camera.centre[0])) * np.float32(
        mirror / scale
    )
    rows = (np.float32(camera.centre[1]) - np.arange(SIZE, dtype=np.float32)) / np.float32(scale)
    temporal, superior = np.broadcast_arrays(columns[None, :], rows[:, None])
    radius = np.hypot(temporal, superior)
    degrees = np.arctan2(superior, temporal) * np.float32(180 / np.pi)
    return Grid(temporal, superior, radius, degrees, scale, mirror)


def make_mask(shape: Anatomy, grid: Grid) -> np.ndarray:
    """Ids (SIZE, SIZE) uint8: 0 background, 1 rim, 2 cup."""
    near = grid.radius < np.float32(1.05 * shape.disc.max())
    mask = np.zeros((SIZE, SIZE), np.uint8)
    degrees, radius = grid.degrees[near], grid.radius[near]
    ids = np.where(radius <= angles.lookup(shape.disc, degrees), MASK_RIM, 0)
    ids = np.where(radius <= angles.lookup(shape.cup, degrees), MASK_CUP, ids)
    mask[near] = ids
    return mask


def _smooth_noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Noise (SIZE, SIZE) float32 of unit variance with `cells` blobs across."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _step(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 at x <= 0 to 1 at x >= 1."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def render(latents: Latents, shape: Anatomy, tree: list, rng: np.random.Generator):
    """Draw the photograph of an eye.

    Returns (image (SIZE, SIZE, 3) uint8, mask (SIZE, SIZE) uint8, Camera).
    """
    camera = draw_camera(latents, rng)
    grid = make_grid(latents, camera)
    mask = make_mask(shape, grid)
    image = _retina(latents, shape, grid, rng)
    image = _disc(latents, shape, camera, grid, image, rng)
    image = _vessels(latents, shape, tree, camera, grid, image)
    return _photograph(camera, image, rng), mask, camera


def _retina(latents, shape, grid, rng) -> list[np.ndarray]:
    """Pigmented background with macula, choroidal texture and nerve-fibre striation; three planes."""
    fair = np.array([214.0, 92.0, 62.0])
    dark = np.array([158.0, 72.0, 42.0])
    base = fair + (dark - fair) * latents.pigment
    texture = 0.6 * _smooth_noise(rng, 9) + 0.4 * _smooth_noise(rng, 40) + 0.35 * _smooth_noise(rng, 150)
    distance = np.hypot(grid.temporal - np.float32(latents.fovea[0]), grid.superior - np.float32(latents.fovea[1]))
    macula = np.exp(-0.5 * (distance / np.float32(0.75)) ** 2)
    fovea = np.exp(-0.5 * (distance / np.float32(0.25)) ** 2)
    fibres = _striation(shape, grid, rng)
    planes = []
    for value, t, m, f, s in zip(
        base, (0.035, 0.055, 0.05), (0.10, 0.30, 0.30), (0.10, 0.22, 0.2), (0.10, 0.22, 0.20),
        strict=True,
    ):
        plane = 1 + np.float32(t) * texture
        plane = plane - np.float32(m) * macula - np.float32(f) * fovea
        plane = plane + np.float32(s) * fibres
        planes.append(np.float32(value) * plane)
    return planes


def _striation(shape, grid, rng) -> np.ndarray:
    """Brightness 0..1 of the nerve fibres: fine streaks along their course, fewer where lost."""
    entry = anatomy.entry_angle(grid.temporal, grid.superior)
    streaks = rng.standard_normal(720).astype(np.float32)
    streaks = ndimage.gaussian_filter1d(streaks, 1.0, mode="wrap") * 1.5
    index = ((entry + 180) * np.float32(2)).astype(np.int32) % 720
    thickness = angles.lookup(shape.rnfl / 140.0, entry)
    fade = np.exp(-np.maximum(grid.radius - 1.0, 0) / np.float32(2.2)) * _step((grid.radius - 0.6) / 0.4)
    return thickness * fade * (1 + np.float32(0.28) * streaks[index])


def _disc(latents, shape, camera, grid, planes, rng) -> list[np.ndarray]:
    """Paint peripapillary atrophy, the rim and the cup with soft borders."""
    disc = angles.lookup(shape.disc, grid.degrees)
    cup = angles.lookup(shape.cup, grid.degrees)
    edge = np.float32(0.045)
    inside = _step((disc - grid.radius) / (2 * edge) + 0.5)
    # The temporal slope of a cup is gentler than its nasal wall.
    slope = np.float32(0.07) + np.float32(0.05) * (0.5 + 0.5 * np.cos(np.deg2rad(grid.degrees)))
    cupped = _step((cup - grid.radius) / (2 * slope) + 0.5)
    crescent = camera.atrophy * angles.bump(camera.atrophy_angle, 38.0) * 0.55
    halo = angles.lookup(crescent, grid.degrees)
    wobble = np.float32(0.05) * _smooth_noise(rng, 24)
    atrophy = _step((disc + halo + wobble - grid.radius) / 0.10) * (halo > 0.03)
    ring = np.exp(-0.5 * ((grid.radius - disc - halo) / np.float32(0.05)) ** 2) * (halo > 0.03)
    loss = angles.lookup(1 - 10 ** (-0.1 * shape.loss_db), grid.degrees)
    lamina = _smooth_noise(rng, 110)
    rim_colour = np.array([243.0, 158.0, 108.0]) * (1 - 0.08 * latents.pigment)
    pale = np.array([248.0, 196.0, 150.0])
    cup_colour = np.array([255.0, 232.0, 182.0])
    atrophy_colour = np.array([225.0, 160.0, 118.0])
    depth = np.clip((cup - grid.radius) / np.maximum(cup, 0.1), 0, 1)
    painted = []
    for plane, rim, lost, bright, thin in zip(
        planes, rim_colour, pale, cup_colour, atrophy_colour, strict=True
    ):
        plane = plane + np.float32(0.75) * atrophy * (np.float32(thin) - plane)
        plane = plane * (1 - np.float32(0.30) * ring)
        tissue = np.float32(rim) + np.float32(lost - rim) * np.float32(0.6) * loss
        tissue = tissue * (1 - np.float32(0.06) * _step(grid.temporal / -0.8))
        hollow = np.float32(bright) * (1 + np.float32(0.03) * lamina * depth)
        face = tissue + cupped * (hollow - tissue)
        painted.append(plane + inside * (face - plane))
    return painted


def _vessels(latents, shape, tree, camera, grid, planes) -> list[np.ndarray]:
    """Absorb light along veins, then arteries with their central reflex."""

    def to_pixels(points):
        return np.stack(
            [
                camera.centre[0] + grid.mirror * grid.scale * points[:, 0],
                camera.centre[1] - grid.scale * points[:, 1],
            ],
            axis=1,
        )

    common = {"shape": (SIZE, SIZE), "to_pixels": to_pixels, "pixels_per_mm": grid.scale}
    veins = vessels.raster(tree, artery=False, **common)
    arteries = vessels.raster(tree, artery=True, **common)
    reflex = vessels.raster(tree, artery=True, width_factor=0.3, **common)
    for strength, cover in ((1.0, veins), (0.72, arteries)):
        soft = ndimage.gaussian_filter(cover, 0.7)
        for k, absorb in enumerate((0.22, 0.58, 0.45)):
            planes[k] = planes[k] * (1 - np.float32(strength * absorb) * soft)
    for k, gain in enumerate((0.10, 0.16, 0.12)):
        planes[k] = planes[k] * (1 + np.float32(gain) * reflex)
    return planes


def _photograph(camera, planes, rng) -> np.ndarray:
    """Camera: blur, haze, illumination, colour balance, noise and the round field of view."""
    axis = (np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2) / np.float32(FIELD_RADIUS)
    squared = axis[None, :] ** 2 + axis[:, None] ** 2
    light = 1 + np.float32(camera.slope[0]) * axis[None, :] + np.float32(camera.slope[1]) * axis[:, None]
    light = light - np.float32(camera.vignette) * squared
    border = np.clip((1 - np.sqrt(squared)) * FIELD_RADIUS, 0, 1)
    border = border * (np.abs(axis[:, None]) < camera.cut)
    if camera.notch:
        along = (axis[None, :] - axis[:, None]) * np.float32(0.7071)
        across = (axis[None, :] + axis[:, None]) * np.float32(0.7071)
        tab = (along > 0.9) & (along < 1.045) & (np.abs(across) < 0.055)
        border = np.maximum(border, tab)
    veil = (150.0, 110.0, 90.0)
    grain = rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    out = np.empty((SIZE, SIZE, 3), np.uint8)
    for k, plane in enumerate(planes):
        plane = ndimage.gaussian_filter(plane, camera.blur, truncate=3.0)
        plane = plane + np.float32(camera.haze) * (np.float32(veil[k]) - plane)
        plane = plane * light * np.float32(camera.gain[k])
        # Film shoulder: highlights compress instead of clipping.
        plane = 255 * (1 - np.exp(-np.maximum(plane, 0) / 150.0)) * np.float32(1.0)
        own = rng.standard_normal((SIZE // 2, SIZE // 2), dtype=np.float32).repeat(2, 0).repeat(2, 1)
        plane = (plane + np.float32(camera.noise) * (0.6 * grain + 0.5 * own)) * border
        out[..., k] = np.clip(plane + 0.5, 0, 255).astype(np.uint8)
    return out
