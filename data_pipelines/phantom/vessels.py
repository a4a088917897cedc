"""The retinal vessels of one eye as polylines, and their rasters.

Both modalities see the same tree: the photograph its colour, the volume its shadows. Coordinates in
mm from the disc centre, x temporal, y superior.
"""

import dataclasses
import math

import numpy as np
from PIL import Image, ImageDraw

from data_pipelines.phantom import angles
from data_pipelines.phantom.anatomy import Anatomy
from data_pipelines.phantom.latents import Latents

STEP_MM = 0.06

# Main trunks: (kind, mirrored below, control points beyond the disc margin, width in mm). Points in
# mm; the first ones, inside the disc, are added from the shape of the cup.
ARCADES = {
    "temporal": ((0.45, 1.75), (1.35, 2.55), (2.6, 3.1), (4.3, 3.35), (6.2, 2.9), (8.0, 1.9)),
    "nasal": ((-0.75, 1.35), (-1.5, 2.1), (-2.7, 3.0), (-4.2, 3.8), (-6.0, 4.6), (-7.5, 5.2)),
}


@dataclasses.dataclass(frozen=True)
class Vessel:
    """One branch. `points` (n, 2) float32 in mm, `widths` (n,) in mm."""

    artery: bool
    points: np.ndarray
    widths: np.ndarray


def _spline(controls: np.ndarray) -> np.ndarray:
    """Points every STEP_MM along the Catmull-Rom curve through `controls` (n, 2)."""
    padded = np.vstack([2 * controls[0] - controls[1], controls, 2 * controls[-1] - controls[-2]])
    pieces = []
    for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True):
        steps = max(2, int(math.hypot(*(c - b)) / STEP_MM))
        t = np.linspace(0, 1, steps, endpoint=False)[:, None]
        pieces.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return np.vstack(pieces)


def _meander(points: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """Shift a polyline sideways by a smooth random amount that grows from 0 at its start."""
    n = len(points)
    s = np.arange(n) * STEP_MM
    amount = np.zeros(n)
    for wavelength in (0.9, 1.7, 3.2):
        amount += wavelength * rng.normal() * np.sin(2 * np.pi * (s / wavelength + rng.random()))
    amount *= size * np.clip((s - 0.8) / 1.5, 0, 1)
    tangent = np.gradient(points, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
    return points + amount[:, None] * np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)


def _inside_disc(
    shape: Anatomy, trunk: np.ndarray, angle: float, side_step: float
) -> list[np.ndarray]:
    """Control points from the trunk to the disc margin, bent where the vessel climbs the cup wall.

    `side_step` (degrees) is how far it slides along the cup margin before it crosses the rim: the
    bayonet bend of an excavated disc.
    """
    cup = float(angles.lookup(shape.cup, np.array(angle - side_step)))
    disc = float(angles.lookup(shape.disc, np.array(angle)))

    def at(radius: float, degrees: float) -> np.ndarray:
        return radius * np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])

    edge = at(cup, angle - side_step)
    climb = at(min(cup + 0.07, 0.98 * disc), angle - 0.25 * side_step)
    return [trunk, 0.5 * (trunk + edge) * 0.97, edge, climb, at(disc * 1.02, angle)]


def _branches(
    parent: Vessel, rng: np.random.Generator, count: int, length: float, fovea: np.ndarray
) -> list[Vessel]:
    """Side branches of a vessel that leave at an acute angle and thin out."""
    found = []
    n = len(parent.points)
    starts = np.sort(rng.uniform(0.10, 0.90, count))
    for number, fraction in enumerate(starts):
        at = int(fraction * (n - 2))
        origin = parent.points[at]
        forward = parent.points[at + 1] - origin
        heading = math.atan2(forward[1], forward[0])
        to_fovea = fovea - origin
        # Alternate sides; the first branch turns towards the fovea.
        cross = forward[0] * to_fovea[1] - forward[1] * to_fovea[0]
        side = math.copysign(1.0, cross) * (1 if number % 2 == 0 else -1)
        width = parent.widths[at] * rng.uniform(0.45, 0.80)
        steps = int(length * rng.uniform(0.5, 1.2) * (width / 0.07) ** 0.5 / STEP_MM)
        if width < 0.016 or steps < 6:
            continue
        t = np.arange(steps) * STEP_MM
        turn = side * rng.uniform(0.55, 1.1) * np.exp(-t / 1.8)
        noise = np.cumsum(rng.normal(0, 0.05, steps))
        wave = 0.22 * np.sin(2 * np.pi * (t / rng.uniform(1.2, 2.6) + rng.random()))
        angle = heading + turn + noise + wave - wave[0]
        delta = STEP_MM * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points = origin + np.cumsum(delta, axis=0)
        # Capillary-free zone: nothing visible runs through the fovea.
        near = np.hypot(*(points - fovea).T) < 0.35
        if near.any():
            points = points[: int(np.argmax(near))]
        if len(points) < 6:
            continue
        widths = width * np.linspace(1, 0.45, len(points))
        found.append(Vessel(parent.artery, points, widths))
    return found


def grow(latents: Latents, shape: Anatomy, rng: np.random.Generator) -> list[Vessel]:
    """The tree: four arcades of artery and vein, small disc vessels, branches of branches."""
    fovea = np.array(latents.fovea)
    # The trunk is pushed to the nasal side as the cup grows.
    cup_size = float(shape.cup.mean() / shape.disc.mean())
    trunk = np.array([-(0.10 + 0.38 * cup_size) * shape.cup.mean() - 0.05, 0.0])
    mains: list[Vessel] = []
    for artery in (False, True):
        for half in (1, -1):
            for course, controls in ARCADES.items():
                rim_angle = {"temporal": 82.0, "nasal": 122.0}[course] + rng.normal(0, 9)
                rim_angle += -7.0 if artery else 5.0
                bend = (6 + 26 * cup_size * rng.random()) * (1 if rng.random() < 0.6 else -1)
                own = trunk + np.array([0.06 * rng.normal(), half * rng.uniform(0.02, 0.14)])
                start = _inside_disc(shape, own, half * rim_angle, half * bend)
                stretch = rng.normal(1.0, 0.07, 2) * (0.95 if artery else 1.03)
                outside = np.array(controls) * stretch * np.array([1, half])
                outside = outside + rng.normal(0, 0.10, outside.shape)
                points = _spline(np.vstack([start, outside]))
                points = _meander(points, rng, 0.022 if artery else 0.028)
                width = (0.105 if artery else 0.140) * rng.uniform(0.85, 1.1)
                width *= 1.0 if course == "temporal" else 0.78
                mains.append(Vessel(artery, points, width * np.linspace(1, 0.5, len(points))))
    for _ in range(int(rng.integers(5, 9))):
        angle = rng.choice([rng.normal(0, 32), rng.normal(180, 32)])
        start = _inside_disc(shape, trunk + rng.normal(0, 0.05, 2), angle, rng.normal(0, 8))
        reach = rng.uniform(1.6, 3.4)
        bent = angle + rng.normal(0, 9, 3)
        radii = shape.disc.mean() + reach * np.array([0.3, 0.65, 1.0])
        outside = radii[:, None] * np.stack(
            [np.cos(np.deg2rad(bent)), np.sin(np.deg2rad(bent))], axis=1
        )
        points = _meander(_spline(np.vstack([start, outside])), rng, 0.02)
        width = rng.uniform(0.028, 0.055)
        artery = bool(rng.random() < 0.5)
        mains.append(Vessel(artery, points, width * np.linspace(1, 0.45, len(points))))
    tree = list(mains)
    for main in mains:
        tree.extend(_branches(main, rng, int(rng.integers(3, 7)), 3.6, fovea))
    for branch in tree[len(mains) :]:
        tree.extend(_branches(branch, rng, int(rng.integers(1, 5)), 2.0, fovea))
    return tree


def raster(
    tree: list[Vessel],
    *,
    shape: tuple[int, int],
    to_pixels,
    pixels_per_mm: float,
    artery: bool | None,
    width_factor: float = 1.0,
    oversample: int = 2,
) -> np.ndarray:
    """Coverage (height, width) float32 in 0..1 of the vessels of one kind, anti-aliased.

    `to_pixels` maps (n, 2) mm to (n, 2) pixel coordinates (column, row); `artery` None draws both.
    """
    height, width = shape
    canvas = Image.new("L", (width * oversample, height * oversample), 0)
    pen = ImageDraw.Draw(canvas)
    for vessel in tree:
        if artery is not None and vessel.artery != artery:
            continue
        pixels = to_pixels(vessel.points) * oversample
        sizes = vessel.widths * (pixels_per_mm * oversample * width_factor)
        # Runs of one integer pen width; a thin vessel gets its strength from the fill instead.
        pens = np.maximum(1, np.round(sizes)).astype(int)
        edges = np.flatnonzero(np.diff(pens)) + 1
        for first, last in zip([0, *edges], [*edges, len(pens)], strict=True):
            run = pixels[first : last + 1]
            if len(run) < 2:
                continue
            strength = int(255 * min(1.0, float(sizes[first:last].mean()) / pens[first]))
            pen.line([tuple(p) for p in run.tolist()], fill=strength, width=int(pens[first]))
    reduced = canvas.reduce(oversample) if oversample > 1 else canvas
    return np.asarray(reduced, dtype=np.float32) * np.float32(1 / 255)
