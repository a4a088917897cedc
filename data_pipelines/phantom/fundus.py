"""Colour fundus photograph of an eye, and its mask of rim and cup."""

import numpy as np
from PIL import Image
from scipy import ndimage

from data_pipelines.phantom import anatomy, angles, vessels
from data_pipelines.phantom.anatomy import Anatomy
from data_pipelines.phantom.camera import (
    SIZE,
    Camera,
    Grid,
    draw_camera,
    expose,
    make_grid,
    pixels_per_mm,
    to_pixels,
)
from data_pipelines.phantom.latents import Latents
from data_pipelines.phantom.vessels import Vessel

MASK_BACKGROUND, MASK_RIM, MASK_CUP = 0, 1, 2

# Colours (red, green, blue) after a real photograph of a fair fundus.
FAIR = (222.0, 88.0, 58.0)
DARK = (158.0, 66.0, 36.0)
RIM = (252.0, 150.0, 101.0)
PALE_RIM = (250.0, 186.0, 134.0)
CUP = (258.0, 222.0, 156.0)
SCLERA = (246.0, 176.0, 124.0)  # seen through peripapillary atrophy
# Share of light that a vessel takes away.
VEIN = (0.17, 0.50, 0.38)
ARTERY = (0.09, 0.38, 0.26)

ALL = slice(0, SIZE)


def render(
    latents: Latents, shape: Anatomy, tree: list[Vessel], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Camera]:
    """Photograph an eye.

    Returns:
      image (SIZE, SIZE, 3) uint8; mask (SIZE, SIZE) uint8 with ids 0 background, 1 rim, 2 cup; and
      the camera's nuisance.
    """
    camera = draw_camera(latents, rng)
    planes = _background(latents, shape, camera, rng)
    rows, columns = _disc_window(latents, shape, camera)
    grid = make_grid(latents, camera, rows, columns)
    for plane, painted in zip(
        planes, _paint_disc(latents, shape, camera, grid, planes, rows, columns, rng), strict=True
    ):
        plane[rows, columns] = painted
    _paint_vessels(latents, tree, camera, planes)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[rows, columns] = disc_mask(shape, grid)
    return expose(camera, planes, rng), mask, camera


def disc_mask(shape: Anatomy, grid: Grid) -> np.ndarray:
    """Ids (height, width) uint8 of the pixels whose centres lie in the rim or in the cup."""
    ids = np.where(grid.radius <= angles.lookup(shape.disc, grid.degrees), MASK_RIM, 0)
    ids = np.where(grid.radius <= angles.lookup(shape.cup, grid.degrees), MASK_CUP, ids)
    return ids.astype(np.uint8)


def _disc_window(latents: Latents, shape: Anatomy, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns around the disc with its surroundings."""
    reach = (float(shape.disc.max()) + camera.atrophy + 0.35) * pixels_per_mm(latents)
    column, row = camera.centre
    return (
        slice(max(0, int(row - reach)), min(SIZE, int(row + reach) + 2)),
        slice(max(0, int(column - reach)), min(SIZE, int(column + reach) + 2)),
    )


def _step(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 at x <= 0 to 1 at x >= 1."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _clouds(rng: np.random.Generator, cells: int, height: int, width: int) -> np.ndarray:
    """Smooth noise (height, width) float32 of about unit variance, `cells` blobs across."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def _background(
    latents: Latents, shape: Anatomy, camera: Camera, rng: np.random.Generator
) -> list[np.ndarray]:
    """Pigment epithelium, choroid, macula and nerve fibres: three planes (SIZE, SIZE) float32."""
    half = make_grid(latents, camera, ALL, ALL, step=2)
    fibres = _nerve_fibres(shape, half, rng)
    away = np.hypot(
        half.temporal - np.float32(latents.fovea[0]), half.superior - np.float32(latents.fovea[1])
    )
    macula = np.exp(-0.5 * (away / np.float32(0.85)) ** 2)
    foveola = np.exp(-0.5 * (away / np.float32(0.30)) ** 2)
    small = half.radius.shape
    choroid = 0.7 * _clouds(rng, 7, *small) + 0.45 * _clouds(rng, 26, *small)
    # Choroidal vessels show through a fair fundus as a coarse, stretched pattern.
    choroid = choroid + np.float32(1.1 - latents.pigment) * 0.5 * _ridges(rng, *small)
    texture = 0.5 * _clouds(rng, 120, SIZE, SIZE) + 0.4 * _clouds(rng, 250, SIZE, SIZE)
    planes = []
    for fair, dark, mottle, pit, centre, sheen in zip(
        FAIR, DARK, (0.020, 0.045, 0.05), (0.09, 0.26, 0.28), (0.06, 0.28, 0.36),
        (0.03, 0.24, 0.30), strict=True,
    ):  # fmt: skip
        tone = fair + (dark - fair) * latents.pigment
        plane = 1 + np.float32(mottle) * choroid + np.float32(sheen) * fibres
        plane = plane * (1 - np.float32(pit) * macula) * (1 - np.float32(centre) * foveola)
        large = Image.fromarray(plane * np.float32(tone)).resize((SIZE, SIZE), Image.BILINEAR)
        planes.append(np.asarray(large) * (1 + np.float32(0.5 * mottle) * texture))
    return planes


def _ridges(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Branching bright ridges (height, width) float32, between about -1 and 1."""
    return 1 - 2.2 * np.abs(_clouds(rng, 22, height, width))


def _nerve_fibres(shape: Anatomy, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Sheen of the nerve-fibre layer: streaks along its course, as bright as it is thick."""
    entry = anatomy.entry_angle(grid.temporal, grid.superior)
    streaks = rng.standard_normal(720).astype(np.float32)
    streaks = 1.6 * ndimage.gaussian_filter1d(streaks, 1.0, mode="wrap")
    index = ((entry + 180) * np.float32(2)).astype(np.int32) % 720
    thickness = angles.lookup(np.maximum(shape.rnfl - 40.0, 0) / 90.0, entry)
    fade = np.exp(-np.maximum(grid.radius - 1.0, 0) / np.float32(2.0))
    fade *= _step((grid.radius - 0.6) / 0.4)
    return thickness * fade * (1 + np.float32(0.30) * streaks[index])


def _paint_disc(
    latents: Latents,
    shape: Anatomy,
    camera: Camera,
    grid: Grid,
    planes: list[np.ndarray],
    rows: slice,
    columns: slice,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Peripapillary atrophy, rim and cup with soft borders, over a window of the three planes."""
    size = grid.radius.shape
    disc = angles.lookup(shape.disc, grid.degrees)
    cup = angles.lookup(shape.cup, grid.degrees)
    towards = 0.5 + 0.5 * grid.temporal / np.maximum(grid.radius, 0.05)  # 1 temporal, 0 nasal
    # Axons heap up over the nasal margin and blur it.
    inside = _step((disc - grid.radius) / (np.float32(0.14) - np.float32(0.07) * towards) + 0.5)
    # The temporal slope of a cup is gentler than its nasal wall; its floor is brightest.
    width = np.float32(0.08) + np.float32(0.07) * towards
    cupped = _step((cup - grid.radius) / width + 0.5)
    floor = np.clip((cup - grid.radius) / np.maximum(cup, 0.1), 0, 1)
    bright = np.float32(0.80) + np.float32(0.20) * np.sqrt(floor)
    lamina = 1 + np.float32(0.035) * _clouds(rng, 70, *size) * floor

    halo = angles.lookup(camera.atrophy * angles.bump(camera.atrophy_angle, 42.0), grid.degrees)
    ragged = 0.25 * halo * _clouds(rng, 9, *size)
    present = np.clip(halo / 0.10, 0, 1)
    atrophy = _step((disc + halo + ragged - grid.radius) / 0.08) * present
    pigment = np.exp(-0.5 * ((grid.radius - disc - halo - ragged) / np.float32(0.06)) ** 2)
    pigment *= present * np.clip(_clouds(rng, 9, *size) - 0.1, 0, 1)

    lost = angles.lookup(1 - 10 ** (-0.1 * shape.loss_db), grid.degrees)
    lost = np.float32(0.7) * lost + np.float32(0.15) * _clouds(rng, 6, *size)
    mottle = 1 + np.float32(0.02) * _clouds(rng, 30, *size)
    painted = []
    for k in range(3):
        skin = planes[k][rows, columns]
        skin = skin + np.float32(0.42) * atrophy * (np.float32(SCLERA[k]) - skin)
        skin = skin * (1 - np.float32(0.45) * pigment)
        rim = np.float32(RIM[k]) + lost * np.float32(PALE_RIM[k] - RIM[k])
        # The nasal rim is thicker and ruddier than the temporal.
        rim = rim * (np.float32(0.93) + np.float32(0.07) * towards) * mottle
        hollow = rim + bright * (np.float32(CUP[k]) * lamina - rim)
        face = rim + cupped * (hollow - rim)
        face = face * np.float32(1 - 0.10 * latents.pigment)
        painted.append(skin + inside * (face - skin))
    return painted


def _paint_vessels(
    latents: Latents, tree: list[Vessel], camera: Camera, planes: list[np.ndarray]
) -> None:
    """Darken the planes, in place, along veins and then arteries with their central reflex."""

    def place(points: np.ndarray) -> np.ndarray:
        return to_pixels(latents, camera, points)

    def cover(artery: bool, width_factor: float = 1.0) -> np.ndarray:
        return vessels.raster(
            tree,
            shape=(SIZE, SIZE),
            to_pixels=place,
            pixels_per_mm=pixels_per_mm(latents),
            artery=artery,
            width_factor=width_factor,
        )

    for kind, absorbed in ((False, VEIN), (True, ARTERY)):
        # Two widths together approximate the profile of a round vessel.
        soft = 0.55 * cover(kind) + 0.45 * cover(kind, 0.6)
        soft = ndimage.gaussian_filter(soft, 0.6, truncate=2.5)
        for k, share in enumerate(absorbed):
            planes[k] *= 1 - np.float32(share * 1.1) * soft
    reflex = cover(True, 0.28)
    for k, gain in enumerate((0.07, 0.22, 0.18)):
        planes[k] *= 1 + np.float32(gain) * reflex
