"""A trained network that grades and segments eyes, from files, arrays or pictures."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from data_pipelines import framing, volumes
from data_pipelines.dicom_photographs import PixelSpacing
from data_pipelines.load.mirrored import to_mirror
from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.volume_form import AS_STORED, VolumeForm
from imo_jax.labels import GRADE_NAMES
from imo_jax.metrics.disc_measures import Side
from imo_jax.predictor import inputs
from imo_jax.predictor.answers import EyeAnswer, answer_of, ask, how_asked
from imo_jax.predictor.calibration import EyeCalibration
from imo_jax.predictor.evidence import GradeEvidence, grade_evidence
from imo_jax.predictor.eye_result import EyeResult, shape_doubts, with_doubted_outline
from imo_jax.predictor.inputs import NotRead, Photograph, PhotographLike, VolumeLike
from imo_jax.predictor.locator import NOT_LOCATED, Locator

NO_OCT_USED = "the network was trained without OCT: the volume was not looked at"
SIDE_NOT_KNOWN = (
    "the network sees left eyes as right ones, and which side this eye is of is not known (OD or OS): "
    "it was looked at as it is"
)
NO_LEFT_EYES = (
    "mirror=True: the network was trained on left eyes seen as right ones (left_as_right), and the "
    "mirror would show it left ones; leave mirror out"
)
NOT_MEASURED = "nothing: no validation eyes were measured after training"
READERS = 2  # threads that read files while the network works


@dataclasses.dataclass(frozen=True)
class EyeSettings:
    """How a network wants its eyes, and how it is asked.

    Attributes:
      model: config of the network.
      image_size: side of the working square in pixels.
      oct_shape: (depth, width, slices) of the OCT volume; None of a network without OCT.
      crop_to_field: cut the black border around the photograph's field of view.
      samples: diffusion samples an eye; 1 of a network with a single answer.
      mirror: whether the mirrored eye is asked for, too, where a call does not say.
      batch_size: eyes asked at a time where there are several.
      grade_names: of the grades, in the order of the network's.
      oct_form: what axes and numbers of OCT volumes mean, where nothing else is said.
      square_diameters: side of the square around the disc that is seen, in disc diameters; None =
        the whole photograph is.
      left_as_right: the network is shown left eyes mirrored; what it says is mirrored back.
    """

    model: Any
    image_size: int
    oct_shape: tuple[int, int, int] | None
    crop_to_field: bool
    samples: int
    mirror: bool
    batch_size: int
    grade_names: tuple[str, ...] = GRADE_NAMES
    square_diameters: float | None = None
    oct_form: VolumeForm = AS_STORED
    left_as_right: bool = False

    def turned(self, sides: Sequence[Side | None]) -> np.ndarray:
        """(n,) bool: of which eyes the network is shown the mirror image."""
        return to_mirror(sides, "OS", self.left_as_right)


@dataclasses.dataclass(frozen=True)
class _Seen:
    """An eye on the working grid as it lies in its files, and what is known of it beside."""

    photograph: Photograph  # without its pixels, which may be many
    fundus: np.ndarray
    frame: framing.Frame
    oct: np.ndarray | None
    warnings: tuple[str, ...]


class EyePredictor:
    """Predicts eyes. Made by `imo_jax.load`; may be called from several threads at once.

    Eyes of any size are brought to one working square, and batches are of one eye or of
    `settings.batch_size` of them (filled up), so that a call compiles nothing but the first time.

    Attributes:
      settings: EyeSettings.
      title: what is asked, for people.
      networks: variables of one network, or of several whose mean is taken.
      locator: finds the square that is seen; None = the whole photograph is.
    """

    def __init__(
        self,
        networks: Sequence[Any],
        settings: EyeSettings,
        title: str,
        locator: Locator | None = None,
        calibration: EyeCalibration | str = NOT_MEASURED,
    ) -> None:
        """`networks` are the variables of one network, or of several whose mean is taken.

        `calibration` is of what all say together; or why there is none, in words.
        """
        self.settings = settings
        self.title = title
        self.networks = [jax.device_put(variables) for variables in networks]
        self.locator = locator
        self._calibration = calibration

    def __repr__(self) -> str:
        return f"<EyePredictor: {self.title}>"

    def predict(
        self,
        fundus: PhotographLike | Sequence[PhotographLike],
        oct: VolumeLike | Sequence[VolumeLike | None] | None = None,
        *,
        ids: str | Sequence[str] | None = None,
        mirror: bool | None = None,
        mm_per_pixel: float | Sequence[float | None] | None = None,
        eye: Side | Sequence[Side | None] | None = None,
        oct_axes: str | None = None,
        oct_range: str | None = None,
    ) -> EyeResult | list[EyeResult]:
        """Predicts one eye, or a list of eyes.

        Args:
          fundus: a photograph: a path, an array (H, W, 3) uint8 RGB, or a picture of Pillow (see
            `inputs.photograph_of`); or a list of them.
          oct: the OCT volume of the eye: a path or an array (slices, depth, width); None = there is
            none. With a list of photographs a list of as many, None where an eye has none.
          ids: names of the eyes, in results and file names; None = names of the files, or eye_1,
            eye_2, ...
          mirror: ask for the mirrored eye, too, and take the mean; None = as the run evaluates.
          mm_per_pixel: side of a pixel of the photograph on the retina, of all or a list; None = as
            a DICOM file tells, else it is not known and nothing is given in mm.
          eye: "OD" (right) or "OS" (left), of all or a list, which names the sectors of the rim, and
            by which a network that was trained so sees left eyes as right ones; None = as a DICOM
            file tells, else it is not known.
          oct_axes, oct_range: what axes ("depth,width,slices") and numbers ("0..40", black to
            white) of the volumes mean; None = as the run was told, else judged.

        Returns:
          An EyeResult, or a list of them for a list.

        Raises:
          ValueError: an input that cannot be read, with its name, the reason and what to do.
        """
        photographs, many = inputs.as_list(fundus)
        scans = [None] * len(photographs) if oct is None else inputs.as_list(oct)[0]
        scans = inputs.form_for(scans, oct_axes, oct_range)
        names = None if ids is None else inputs.as_list(ids)[0]
        options = {"ids": names, "mirror": mirror, "mm_per_pixel": mm_per_pixel, "eye": eye}
        results = list(self.stream(photographs, scans, **options))
        return results if many else results[0]

    __call__ = predict

    def stream(
        self,
        photographs: Sequence[PhotographLike],
        scans: Sequence[VolumeLike | None],
        *,
        ids: Sequence[str] | None = None,
        mirror: bool | None = None,
        mm_per_pixel: float | Sequence[float | None] | None = None,
        eye: Side | Sequence[Side | None] | None = None,
        keep_going: bool = False,
    ) -> Iterator[EyeResult | NotRead]:
        """As `predict` of a list, one after the other: for more eyes than fit into memory.

        With `keep_going` an eye whose files cannot be used ends nothing: a NotRead with the reason
        takes its place. Without, it raises.
        """
        if len(scans) != len(photographs):
            raise inputs.BadInput(f"{len(scans)} OCT volumes for {len(photographs)} photographs")
        names = inputs.distinct_ids(photographs, ids)
        if not keep_going:
            inputs.require_files([*photographs, *scans])
        mirror = self.settings.mirror if mirror is None else mirror
        if mirror and self.settings.left_as_right:
            raise inputs.BadInput(NO_LEFT_EYES)
        size = 1 if len(photographs) == 1 else self.settings.batch_size
        spacings = inputs.spacings_of(mm_per_pixel, len(photographs))
        sides = inputs.sides_of(eye, len(photographs))
        eyes = zip(names, photographs, scans, spacings, sides, strict=True)
        see = self._seen_or_not if keep_going else self._seen
        seen = ordered_map(lambda eye: see(*eye), eyes, workers=READERS, ahead=size)
        while chunk := list(itertools.islice(seen, size)):
            yield from self._answers(chunk, size, mirror)

    def grade_evidence(
        self, fundus: PhotographLike, oct: VolumeLike | None = None, *, eye: Side | None = None
    ) -> GradeEvidence | None:
        """Where the grade of one eye rests on its photograph, see `evidence.grade_evidence`.

        Takes as long as some seven predictions of `settings.batch_size` eyes.

        Args:
          fundus, oct, eye: as `predict`.

        Returns:
          None of a network that does not grade.

        Raises:
          ValueError: as `predict`.
        """
        if not self.settings.model.grade:
            return None
        seen = self._seen("eye", fundus, oct, None, *inputs.sides_of(eye, 1))
        size = self.settings.batch_size

        def grades(squares: np.ndarray) -> np.ndarray:
            found = []
            for start in range(0, len(squares), size):
                part = squares[start : start + size]
                eyes = [dataclasses.replace(seen, fundus=square) for square in part]
                outputs = self._asked(eyes, size, samples=1)
                found.append(outputs["grade_probabilities"][: len(part)])
            return np.concatenate(found)

        values, grade = grade_evidence(seen.fundus, grades)
        return GradeEvidence(seen.fundus, values, self.settings.grade_names[grade])

    def _answers(
        self, chunk: Sequence[_Seen | NotRead], size: int, mirror: bool
    ) -> Iterator[EyeResult | NotRead]:
        """The results of up to `size` eyes, in order."""
        if all(isinstance(eye, NotRead) for eye in chunk):
            yield from chunk
            return
        outputs = self._asked(chunk, size, samples=self.settings.samples, mirror=mirror)
        for row, eye in enumerate(chunk):
            if isinstance(eye, NotRead):
                yield eye
            else:
                yield self._result(eye, answer_of(outputs, row), mirror)

    def _asked(
        self, eyes: Sequence[_Seen | NotRead], size: int, **how: Any
    ) -> dict[str, np.ndarray]:
        """What the networks say of up to `size` eyes, as these lie; `how` as `answers.ask`."""
        sides = [None if isinstance(eye, NotRead) else eye.photograph.side for eye in eyes]
        turned = self.settings.turned([*sides, *[None] * (size - len(eyes))])
        batch = self._batch(eyes, size)
        return ask(self.networks, batch, self.settings.model, turned=turned, **how)

    def _seen_or_not(
        self, name: str, *given: PhotographLike | VolumeLike | float | None
    ) -> _Seen | NotRead:
        try:
            return self._seen(name, *given)
        except inputs.FAULTS as fault:
            return NotRead(name, str(fault))

    def _seen(
        self,
        name: str,
        photograph: PhotographLike,
        scan: VolumeLike | None,
        mm_per_pixel: float | None,
        side: Side | None,
    ) -> _Seen:
        """Reads an eye and brings it to the working grid."""
        settings = self.settings
        image = inputs.photograph_of(photograph, name)
        image = dataclasses.replace(image, side=side or image.side)
        warnings = inputs.photograph_doubts(image.pixels, name)
        if settings.left_as_right and image.side is None:
            warnings.append(SIDE_NOT_KNOWN)
        frame, of_frame = self._frame(image)
        warnings += of_frame
        spacing = image.spacing if mm_per_pixel is None else PixelSpacing(mm_per_pixel)
        warnings += spacing.doubts
        volume = None
        if scan is not None and settings.oct_shape is None:
            warnings.append(NO_OCT_USED)
        elif scan is not None:
            depth, width, slices = settings.oct_shape
            whole, doubts = inputs.volume_of(scan, name, settings.oct_form)
            warnings += doubts
            volume = volumes.to_grid(whole, slices, depth, width)
        return _Seen(
            photograph=dataclasses.replace(image, pixels=image.pixels[:0], spacing=spacing),
            fundus=framing.frame_image(image.pixels, frame),
            frame=frame,
            oct=volume,
            warnings=tuple(warnings),
        )

    def _frame(self, image: Photograph) -> tuple[framing.Frame, list[str]]:
        """The square of a photograph that the network sees, and doubts: here alone it is decided."""
        settings = self.settings
        whole = framing.find_frame(image.pixels, settings.image_size, settings.crop_to_field)
        if self.locator is None:
            return whole, []
        found = self.locator.frame(image.pixels, settings.image_size, image.side)
        return (whole, [NOT_LOCATED]) if found is None else (found, [])

    def _batch(self, eyes: Sequence[_Seen | NotRead], size: int) -> dict[str, np.ndarray]:
        """`size` rows: the eyes, and black ones that nobody looks at."""
        side = self.settings.image_size
        batch = {"fundus": np.zeros((size, side, side, 3), np.uint8)}
        if self.settings.oct_shape is not None:
            batch["oct"] = np.zeros((size, *self.settings.oct_shape), np.uint8)
            batch["has_oct"] = np.zeros(size, bool)
        for row, eye in enumerate(eyes):
            if isinstance(eye, NotRead):
                continue
            batch["fundus"][row] = eye.fundus
            if eye.oct is not None:
                batch["oct"][row] = eye.oct
                batch["has_oct"][row] = True
        return batch

    def _result(self, eye: _Seen, answer: EyeAnswer, mirror: bool) -> EyeResult:
        calibration, calibrated_on = self.calibration_of(mirror)
        result = EyeResult(
            id=eye.photograph.name,
            has_oct=eye.oct is not None,
            warnings=(*eye.warnings, *shape_doubts(answer)),
            answer=answer,
            fundus=eye.fundus,
            frame=eye.frame,
            grade_names=self.settings.grade_names,
            exif_orientation=eye.photograph.exif_orientation,
            calibration=calibration,
            calibrated_on=calibrated_on,
            mm_per_pixel=eye.photograph.spacing.mm,
            eye=eye.photograph.side,
        )
        return with_doubted_outline(result)

    def calibration_of(self, mirror: bool) -> tuple[EyeCalibration | None, str]:
        """What is known of the errors of an answer, and where from or why not."""
        found = self._calibration
        if isinstance(found, str):
            return None, found
        asked = how_asked(self.settings.model, self.settings.samples, mirror)
        if (mismatch := found.mismatch(asked)) is not None:
            return None, mismatch
        return found, found.in_words()
