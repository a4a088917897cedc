"""What a predictor says of one eye, and the files that hold it."""

import dataclasses
import functools
import math
import pathlib
from typing import Any

import numpy as np
from scipy import ndimage

from data_pipelines.framing import Frame
from imo_jax.atomic_files import png_of, write_json, write_picture
from imo_jax.metrics.disc_measures import DiscMeasures, Side
from imo_jax.metrics.imo_eye import EyeRecord, score_eye
from imo_jax.predictor.answers import EyeAnswer
from imo_jax.predictor.calibration import EyeCalibration
from imo_jax.predictor.inputs import UPRIGHT
from imo_jax.visualisation.overlays import answer_panel

NO_DISC = "no disc was found: the photograph may not show one; do not rely on what is said of it"
MANY_PARTS = (
    "disc was outlined in {} separate places, and an eye has one: the photograph may be unlike those "
    "of training; do not rely on what is said of it"
)
CRUMB = 0.05  # of the largest region's area
# Vertical diameters of optic discs, small to large, with room for magnification (Jonas et al. 1988,
# IOVS 29:1151: 0.96 to 2.91 mm).
DISC_MM = (0.8, 3.2)
NO_EYES_SIZE = (
    "at {:g} mm a pixel the disc is {:.2f} mm high, that of an eye {:g} to {:g}: mind the spacing or the outline"
)
CUT_OFF = (
    "the disc that was outlined reaches the edge of the photograph: if the photograph cuts it off, its "
    "measures are of the part that is there"
)
FEW_ROWS = 32
FEW_PIXELS = (
    "the disc that was outlined is {:.0f} pixels high: a pixel is {:.2f} of a ratio; give the photograph as "
    "the camera took it"
)
UNCERTAINTY_STEP = 1e-4  # nats: a step of grey of the uncertainty's picture


@dataclasses.dataclass(frozen=True)
class VerticalCdr:
    """A vertical cup-to-disc ratio.

    Attributes:
      value: 0..1; None where no disc was found.
      low, high: an interval that holds the true value in `coverage` of eyes like those of the
        validation split; None where nothing was measured, see `EyeResult.calibrated_on`.
      coverage: 0..1, or None.
      sd_over_samples: standard deviation (n - 1) over the samples of a network that draws some:
        how much its noise matters, which says nothing of its error; None below two samples.
      samples: how many there are, of all networks together.
    """

    value: float | None
    low: float | None
    high: float | None
    coverage: float | None
    sd_over_samples: float | None
    samples: int


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EyeResult:
    """What is said of one eye.

    Large arrays are computed when they are asked for; what is kept is of the working square.

    Attributes:
      id: of the eye.
      has_oct: whether an OCT volume was looked at.
      warnings: doubts about the input and about what was found, in words; () = none.
      answer: of the network, on the working square.
      fundus: (S, S, 3) uint8, the working square: what the network saw.
      frame: where that square lies in the photograph.
      grade_names: of the grades, in the order of their probabilities.
      exif_orientation: by which the file's pixels were turned to be upright; 1 = not at all.
      calibration: what validation taught of the network's errors, or None.
      calibrated_on: the eyes that it was measured on, or why there is none, in words.
      mm_per_pixel: side of a pixel of the photograph on the retina; None where it is not known.
      eye: "OD" (right) or "OS" (left); None where it is not known.
    """

    id: str
    has_oct: bool
    warnings: tuple[str, ...]
    answer: EyeAnswer
    fundus: np.ndarray
    frame: Frame
    grade_names: tuple[str, ...]
    exif_orientation: int = UPRIGHT
    calibration: EyeCalibration | None = None
    calibrated_on: str = "nothing"
    mm_per_pixel: float | None = None
    eye: Side | None = None

    @property
    def grade(self) -> str | None:
        """The most probable grade; None of a network that does not grade."""
        found = self.grade_probabilities
        return None if found is None else max(found, key=found.__getitem__)

    @property
    def grade_probabilities(self) -> dict[str, float] | None:
        """Name of a grade -> probability; None of a network that does not grade.

        Softened by the temperature of the calibration, where there is one.
        """
        found = self._tempered
        if found is None:
            return None
        return dict(zip(self.grade_names, map(float, found), strict=True))

    @property
    def _tempered(self) -> np.ndarray | None:
        found = self.answer.grade_probabilities
        if found is None or self.calibration is None:
            return found
        return self.calibration.tempered(found)

    @property
    def grade_set(self) -> tuple[str, ...] | None:
        """The grades that cannot be ruled out: the true one is among them in the share of eyes
        that the calibration promises. None where nothing was measured."""
        found = self.answer.grade_probabilities
        if found is None or self.calibration is None:
            return None
        kept = self.calibration.grade_set(found)
        if kept is None:
            return None
        return tuple(name for name, inside in zip(self.grade_names, kept, strict=True) if inside)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright photograph."""
        return self.frame.native_height, self.frame.native_width

    @property
    def probabilities(self) -> np.ndarray | None:
        """(H0, W0, 3) float32 of background, rim and cup at the photograph's own size, upright.

        None of a network that does not segment; outside the working square it is background.
        """
        return self.answer.native_probabilities(self.frame)

    @property
    def mask(self) -> np.ndarray | None:
        """(H0, W0) uint8 ids, 0 background, 1 rim, 2 cup: the most probable of each pixel."""
        found = self.probabilities
        return None if found is None else found.argmax(axis=-1).astype(np.uint8)

    @property
    def entropy(self) -> np.ndarray | None:
        """(H0, W0) float32 nats, 0..ln 3: how uncertain each pixel of the mask is."""
        found = self.probabilities
        return None if found is None else entropy(found)

    @property
    def vertical_cdr(self) -> VerticalCdr | None:
        """The vertical cup-to-disc ratio; None of a network that does not segment."""
        if self.answer.sample_ids is None:
            return None
        interval = self._cdr_interval
        low, high = interval or (None, None)
        return VerticalCdr(
            value=_defined(self.record["vcdr_pred"]),
            low=low,
            high=high,
            coverage=None if interval is None else self.calibration.coverage,
            sd_over_samples=_defined(self.record["vcdr_sd"]),
            samples=len(self.answer.sample_ids),
        )

    @property
    def _cdr_interval(self) -> tuple[float, float] | None:
        if self.calibration is None:
            return None
        return self.calibration.cdr_interval(self.record["vcdr_pred"])

    @property
    def measures(self) -> DiscMeasures | None:
        """Ratios, areas and the rim by sector; None where no disc was found or looked for."""
        return self.record["measures_pred"]

    @functools.cached_property
    def record(self) -> EyeRecord:
        """As evaluation scores it, without a truth (`metrics.imo_eye.score_eye`)."""
        return score_eye(
            self.id,
            self.id,
            probabilities=self.probabilities,
            sample_ids=self.answer.sample_ids,
            grade_probabilities=self._tempered,
            grade_names=self.grade_names,
            mm_per_pixel=self.mm_per_pixel,
            eye=self.eye,
        )

    def overlay(self) -> np.ndarray | None:
        """(height, width, 3) uint8: photograph, disc, outlines and uncertainty side by side.

        Warnings stand below. None of a network that does not segment.
        """
        if self.answer.probabilities is None:
            return None
        return answer_panel(
            self.fundus,
            self.answer,
            self.record,
            cdr_range=self._cdr_interval,
            eye=self.eye,
            warnings=self.warnings,
        )

    def to_json(self) -> dict[str, Any]:
        """What `<id>.json` holds; None (null) where a number is not defined."""
        result: dict[str, Any] = {
            "id": self.id,
            "eye": self.eye,
            "has_oct": self.has_oct,
            "warnings": list(self.warnings),
            "calibrated_on": self.calibrated_on,
        }
        if self.grade is not None:
            result |= {"grade": self.grade, "grade_probabilities": self.grade_probabilities}
            if (kept := self.grade_set) is not None:
                result["grade_set"] = {
                    "grades": list(kept),
                    "coverage": self.calibration.coverage,
                }
        frame = self.frame
        result["square"] = {"top": frame.top, "left": frame.left, "side": frame.height}
        if self.answer.probabilities is not None:
            result["vertical_cdr"] = dataclasses.asdict(self.vertical_cdr)
            result["disc"] = None if self.measures is None else self.measures.to_json()
            result["mask"] = {
                "file": f"{self.id}_mask.png",
                "ids": {"background": 0, "rim": 1, "cup": 2},
                "height": self.size[0],
                "width": self.size[1],
                "orientation": self._orientation(),
            }
            result["uncertainty"] = {
                "file": f"{self.id}_uncertainty.png",
                "is": "entropy of the class probabilities, 16-bit grey, upright as the mask",
                "nats_per_grey_value": UNCERTAINTY_STEP,
            }
        return result

    def _orientation(self) -> str:
        if self.exif_orientation == UPRIGHT:
            return "as the photograph"
        return (
            "upright, as the photograph is shown: its file's own pixels lie turned (EXIF "
            f"orientation {self.exif_orientation})"
        )

    def save(self, folder: str | pathlib.Path) -> dict[str, Any]:
        """Writes `<id>_mask.png`, `<id>_uncertainty.png`, `<id>_overlay.png` and `<id>.json`.

        Each whole or not at all, the JSON last: where it is, the rest is too. A network that does
        not segment has the JSON alone.

        Args:
          folder: made where it is absent.

        Returns:
          What the JSON holds.
        """
        folder = pathlib.Path(folder)
        probabilities = self.probabilities
        if probabilities is not None:
            grey = np.rint(entropy(probabilities) / UNCERTAINTY_STEP).astype(np.uint16)
            mask = probabilities.argmax(axis=-1).astype(np.uint8)
            write_picture(folder / f"{self.id}_mask.png", mask)
            write_picture(folder / f"{self.id}_uncertainty.png", grey)
            write_picture(folder / f"{self.id}_overlay.png", self.overlay())
        result = self.to_json()
        write_json(folder / f"{self.id}.json", result)
        return result

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows of it: the picture."""
        picture = self.overlay()
        return None if picture is None else png_of(picture)

    def __str__(self) -> str:
        """One line, as a person would say it."""
        parts = []
        if self.grade is not None:
            share = self.grade_probabilities[self.grade]
            parts.append(f"grade {self.grade} ({100 * share:.0f} %)")
        if (ratio := self.vertical_cdr) is not None:
            parts.append(_ratio_in_words(ratio))
        if not self.has_oct:
            parts.append("from the photograph alone")
        if self.warnings:
            parts.append(f"doubtful: {'; '.join(self.warnings)}")
        return f"{self.id}: {', '.join(parts)}"


def _ratio_in_words(ratio: VerticalCdr) -> str:
    if ratio.value is None:
        return "no disc found"
    text = f"vertical CDR {ratio.value:.2f}"
    if ratio.coverage is None:
        return text
    return f"{text} ({ratio.low:.2f} to {ratio.high:.2f} with {100 * ratio.coverage:.0f} %)"


def with_doubted_outline(result: EyeResult) -> EyeResult:
    """The result, with warnings where its disc is cut off, of few pixels, or of a size in mm that no eye's is."""
    if result.answer.probabilities is None or not found_disc(result.answer):
        return result
    doubts = []
    top, left, bottom, right = disc_box(result.answer.probabilities, result.frame)
    if top < 1 or left < 1 or bottom > result.size[0] - 1 or right > result.size[1] - 1:
        doubts.append(CUT_OFF)
    if bottom - top < FEW_ROWS:
        doubts.append(FEW_PIXELS.format(bottom - top, 1 / (bottom - top)))
    if result.mm_per_pixel is not None and result.measures is not None:
        height = result.measures.disc_height_mm
        if not DISC_MM[0] <= height <= DISC_MM[1]:
            doubts.append(NO_EYES_SIZE.format(result.mm_per_pixel, height, *DISC_MM))
    if not doubts:
        return result  # itself, with the record that it may hold by now
    return dataclasses.replace(result, warnings=(*result.warnings, *doubts))


def disc_box(probabilities: np.ndarray, frame: Frame) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) in the photograph's pixels of the disc in (h, w, C) probabilities of its frame."""
    disc = probabilities.argmax(axis=-1) > 0
    box = []
    for start, side, there in (
        (frame.top, frame.height, disc.any(axis=1)),
        (frame.left, frame.width, disc.any(axis=0)),
    ):
        first, last = np.flatnonzero(there)[[0, -1]]
        box.append((start + first * side / len(there), start + (last + 1) * side / len(there)))
    (top, bottom), (left, right) = box
    return top, left, bottom, right


def found_disc(answer: EyeAnswer) -> bool:
    """Whether any pixel is rim or cup; True of a network that does not segment."""
    return answer.probabilities is None or bool(answer.probabilities.argmax(axis=-1).any())


def shape_doubts(answer: EyeAnswer) -> tuple[str, ...]:
    """What is odd about what was segmented, in whole sentences."""
    if not found_disc(answer):
        return (NO_DISC,)
    parts = 0 if answer.probabilities is None else disc_parts(answer.probabilities)
    return (MANY_PARTS.format(parts),) if parts > 1 else ()


def disc_parts(probabilities: np.ndarray) -> int:
    """Separate regions of disc in (h, w, C) probabilities, those of crumbs left out."""
    labels, _ = ndimage.label(probabilities.argmax(axis=-1) > 0)
    areas = np.bincount(labels.ravel())[1:]
    return int((areas >= CRUMB * areas.max()).sum()) if len(areas) else 0


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """(H, W, C) -> (H, W) float32 entropy in nats."""
    p = np.clip(probabilities, 1e-12, 1.0)
    return -(p * np.log(p)).sum(axis=-1)


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
