"""From the latents of an eye to its shape: nerve-fibre layer, disc and cup, fibre trajectories."""

import dataclasses

import numpy as np

from data_pipelines.phantom import angles, figures
from data_pipelines.phantom.latents import Latents

RING_RADIUS_MM = 1.73  # the 3.46 mm measuring circle
HUMP = 0.95  # height of the humps relative to the mean ring
RIM_FLOOR = 0.27  # of the rim is glia and vessels, and stays: cups seldom exceed 0.9
RIM_RATE = 1.9  # the rim is lost faster than axons as a whole: structure before function
MAX_CUP = 0.95

# Poles of the disc that glaucoma takes first (degrees): supero- and infero-temporal.
SUPERIOR_POLE = 72.0
INFERIOR_POLE = 287.0


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """Shape of one eye; tables have angles.NUM_ANGLES entries."""

    loss_db: np.ndarray  # axon loss
    rnfl: np.ndarray  # micron on the ring
    disc: np.ndarray  # radius in mm
    cup: np.ndarray  # radius in mm
    rnfl_mean: float
    vcdr: float
    disc_height: float  # mm


def axon_loss(latents: Latents) -> np.ndarray:
    """Loss of axons in dB over the angle: poles first, nasal and temporal late."""
    superior = np.exp(-latents.hemifield)
    inferior = np.exp(latents.hemifield)
    shape = (
        0.30
        + 1.20 * superior * angles.bump(SUPERIOR_POLE, 24.0)
        + 1.40 * inferior * angles.bump(INFERIOR_POLE, 24.0)
        + 0.10 * angles.bump(180.0, 45.0)
    )
    loss = latents.severity * shape
    for angle, width, depth in latents.focal:
        loss = loss + depth * angles.bump(angle, width)
    return loss


def healthy_rnfl(latents: Latents) -> np.ndarray:
    """RNFL thickness (micron) on the ring before disease: the real mean ring, individualised."""
    base = HUMP * angles.fourier(figures.RING_COS_UM, figures.RING_SIN_UM)
    # The superior half follows one shift, the inferior half the other, blended over the horizontal.
    upper = 0.5 * (1 + np.sin(angles.RADIANS))
    shift = latents.hump_shift[0] * upper + latents.hump_shift[1] * (1 - upper)
    gain = latents.hump_gain[0] * upper + latents.hump_gain[1] * (1 - upper)
    shape = gain * angles.lookup(base, angles.DEGREES - shift)
    shape = shape + angles.fourier(
        np.array(latents.rnfl_wiggle[:4]), np.array(latents.rnfl_wiggle[4:])
    )
    shape = shape - shape.mean()
    return np.maximum(
        latents.healthy_rnfl + shape * latents.healthy_rnfl / figures.RING_MEAN_UM, 25.0
    )


def disc_contour(latents: Latents) -> np.ndarray:
    """Radius of the disc (mm) over the angle: a rotated ellipse with slight irregularity."""
    half_height = latents.disc_radius
    half_width = latents.disc_radius / latents.disc_aspect
    turned = angles.RADIANS - np.deg2rad(latents.disc_rotation)
    ellipse = (
        half_height
        * half_width
        / np.hypot(half_height * np.cos(turned), half_width * np.sin(turned))
    )
    wiggle = np.array(latents.disc_wiggle)
    orders = np.array([0.0, 1.0, 0.7])  # no first order: that would only move the disc
    return ellipse * (1 + angles.fourier(wiggle[:3] * orders, wiggle[3:] * orders))


def cup_contour(latents: Latents, disc: np.ndarray, loss_db: np.ndarray) -> np.ndarray:
    """Radius of the cup (mm) over the angle, always inside the disc.

    In health the rim is widest below, then above, nasal, temporal (ISNT); disease thins it where
    axons are lost.
    """
    isnt = (
        1.0
        + 0.13 * angles.bump(270.0, 40.0)
        + 0.07 * angles.bump(90.0, 40.0)
        - 0.03 * angles.bump(180.0, 40.0)
        - latents.cup_shift * 2.5 * angles.bump(0.0, 45.0)
    )
    vertical = 0.5 * (angles.lookup(isnt, np.array(90.0)) + angles.lookup(isnt, np.array(270.0)))
    rim = (1.0 - latents.cup_ratio) * isnt / vertical
    left = RIM_FLOOR + (1 - RIM_FLOOR) * 10 ** (-0.1 * RIM_RATE * latents.rim_gain * loss_db)
    ratio = 1.0 - rim * left
    # A cup margin is smooth: neighbouring directions are averaged.
    kernel = angles.bump(0.0, 9.0)
    ratio = np.fft.irfft(np.fft.rfft(ratio) * np.fft.rfft(kernel / kernel.sum()), len(ratio))
    return disc * np.clip(ratio, 0.08, MAX_CUP)


def height(contour: np.ndarray) -> float:
    """Vertical extent of a star-shaped contour."""
    y = contour * np.sin(angles.RADIANS)
    return float(y.max() - y.min())


def derive(latents: Latents) -> Anatomy:
    """The eye's shape from its latents."""
    loss_db = axon_loss(latents)
    healthy = healthy_rnfl(latents)
    # What stays (glia, vessels) is more even around the disc than the axons are.
    floor = latents.rnfl_floor * (0.7 * healthy.mean() + 0.3 * healthy)
    floor = np.minimum(floor, 0.9 * healthy)
    rnfl = floor + (healthy - floor) * 10 ** (-0.1 * latents.rnfl_gain * loss_db)
    disc = disc_contour(latents)
    cup = cup_contour(latents, disc, loss_db)
    return Anatomy(
        loss_db=loss_db,
        rnfl=rnfl,
        disc=disc,
        cup=cup,
        rnfl_mean=float(rnfl.mean()),
        vcdr=height(cup) / height(disc),
        disc_height=height(disc),
    )


def entry_angle(temporal: np.ndarray, superior: np.ndarray) -> np.ndarray:
    """Angle (degrees) at which the nerve fibre through a place on the retina enters the disc.

    Places in mm from the disc centre. A simple form of the known arcuate course: nasal fibres are
    radial; temporal ones beyond the papillomacular bundle arch around the fovea to the poles.
    """
    radius = np.hypot(temporal, superior)
    angle = np.rad2deg(np.arctan2(superior, temporal))  # -180..180
    size = np.abs(angle)
    arch = np.clip((radius - 1.8) / 4.2, 0.0, 1.0)
    arch = arch * arch * (3 - 2 * arch)
    raphe = np.clip(30.0 - 5.5 * radius, 2.0, 25.0)
    turn = 62.0 * arch * (1 - np.exp(-size / raphe)) * np.clip(1 - size / 110.0, 0.0, 1.0)
    return np.sign(angle) * (size + turn)
