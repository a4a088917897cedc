"""Many eyes without images: the table that statistics and controls are computed from."""

import dataclasses

import numpy as np

from data_pipelines.phantom import angles
from data_pipelines.phantom.camera import FIELD_RADIUS, pixels_per_mm
from data_pipelines.phantom.eye import Eye, eyes_of


@dataclasses.dataclass(frozen=True)
class Population:
    """One entry per eye; `rnfl` is (eyes, angles) micron."""

    eyes: list[Eye]
    grade: np.ndarray
    vcdr: np.ndarray
    rnfl: np.ndarray
    rnfl_mean: np.ndarray  # micron
    sectors: np.ndarray  # (eyes, 6) micron, in the order of figures.SECTORS
    md: np.ndarray  # dB
    psd: np.ndarray  # dB
    vfi: np.ndarray  # percent
    disc_height: np.ndarray  # fraction of the field

    @property
    def glaucoma(self) -> np.ndarray:
        return self.grade > 0


def sample(seed: int, count: int) -> Population:
    """The first `count` eyes of a seed, without rendering them (about 1 ms an eye)."""
    eyes = eyes_of(seed, count)
    first = [eye.first for eye in eyes]
    scale = np.array([pixels_per_mm(eye.latents) for eye in eyes])
    return Population(
        eyes=eyes,
        grade=np.array([eye.grade for eye in eyes]),
        vcdr=np.array([v.shape.vcdr for v in first]),
        rnfl=np.array([v.shape.rnfl for v in first]),
        rnfl_mean=np.array([v.shape.rnfl_mean for v in first]),
        sectors=np.array([list(angles.sector_means(v.shape.rnfl).values()) for v in first]),
        md=np.array([v.field.md for v in first]),
        psd=np.array([v.field.psd for v in first]),
        vfi=np.array([v.field.vfi for v in first]),
        disc_height=np.array([v.shape.disc_height for v in first]) * scale / (2 * FIELD_RADIUS),
    )
