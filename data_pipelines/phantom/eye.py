"""One eye, whole: its shape, its visual field at each visit, its photograph and its volumes."""

import dataclasses
import functools

import numpy as np

from data_pipelines.phantom import (
    anatomy,
    camera,
    figures,
    fundus,
    latents,
    oct,
    perimetry,
    vessels,
)


@dataclasses.dataclass(frozen=True)
class Visit:
    """State of an eye at one visit."""

    number: int
    latents: latents.Latents
    shape: anatomy.Anatomy
    field: perimetry.Field  # as tested that day


@dataclasses.dataclass(frozen=True)
class Eye:
    """An eye of a phantom; a function of (seed, patient, side) alone."""

    seed: int
    patient: int
    side: str

    @property
    def id(self) -> str:
        return f"p{self.patient:04d}_{self.side}"

    @property
    def patient_id(self) -> str:
        return f"p{self.patient:04d}"

    def stream(self, purpose: str, *more: int) -> np.random.Generator:
        """This eye's random numbers for one purpose."""
        side = 0 if self.side == "OD" else 1
        return latents.stream(self.seed, self.patient, purpose, side, *more)

    @functools.cached_property
    def latents(self) -> latents.Latents:
        return latents.draw(self.seed, self.patient, self.side)

    def visit(self, number: int) -> Visit:
        """The eye at visit 1, 2, ...: half a year apart, progressing."""
        state = latents.at_visit(self.latents, number)
        shape = anatomy.derive(state)
        field = perimetry.test(state, shape.loss_db, self.stream("field", number))
        return Visit(number, state, shape, field)

    @functools.cached_property
    def first(self) -> Visit:
        return self.visit(1)

    @property
    def grade(self) -> int:
        """GAMMA's rule: 0 normal; glaucoma 1 early where MD >= -6 dB, else 2 mid or advanced."""
        if not self.latents.glaucoma:
            return 0
        return 1 if self.first.field.md >= figures.GRADE_MD_LIMIT_DB else 2

    @functools.cached_property
    def tree(self) -> list[vessels.Vessel]:
        return vessels.grow(self.latents, self.first.shape, self.stream("vessels"))

    @property
    def camera(self) -> camera.Camera:
        """The nuisance of the photograph, without taking it."""
        return camera.draw_camera(self.latents, self.stream("fundus"))

    def photograph(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Fundus (H, W, 3) uint8, mask (H, W) uint8, JPEG quality."""
        image, mask, taken = fundus.render(
            self.latents, self.first.shape, self.tree, self.stream("fundus")
        )
        return image, mask, taken.quality

    def volume(self, visit: int = 1, number: int = 1) -> np.ndarray:
        """OCT (slices, depth, width) uint8: scan `number` of a visit."""
        state = self.visit(visit)
        rng = self.stream("oct", visit, number)
        return oct.render(state.latents, state.shape, self.tree, rng)


def eyes_of(seed: int, count: int) -> list[Eye]:
    """The first `count` eyes of the phantom of this seed."""
    return [Eye(seed, patient, side) for patient, side in latents.eyes_of(seed, count)]
