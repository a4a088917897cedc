"""A trained screening network that judges OCT volumes, from files or arrays."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from data_pipelines.load.screening_stores import ScreeningArrayStore, ScreeningStore
from data_pipelines.manifest import ScreeningVolume
from imo_jax import visual_field
from imo_jax.predictor import inputs
from imo_jax.predictor.inputs import NotRead, VolumeLike
from imo_jax.predictor.volume_batches import VolumeSettings, evidence_of, predict_volumes
from imo_jax.predictor.volume_result import VolumeResult

SIDES = ("OD", "OS")  # right and left eye
_SPLIT = ""  # volumes to predict belong to none


class VolumePredictor:
    """Predicts OCT volumes. Made by `imo_jax.load`; may be called from several threads at once.

    Volumes of any size are brought to one grid and asked in batches of one size, so that a call
    compiles nothing but the first time.

    Attributes:
      settings: VolumeSettings.
      title: what is asked, for people.
      threshold: probability from which validation said glaucoma; None = not known.
      networks: variables of one network, or of several whose mean is taken.
    """

    def __init__(
        self,
        networks: Sequence[Any],
        settings: VolumeSettings,
        title: str,
        threshold: float | None = None,
    ) -> None:
        """`networks` are the variables of one network, or of several whose mean is taken."""
        self.settings = settings
        self.title = title
        self.threshold = threshold
        self.networks = [jax.device_put(variables) for variables in networks]

    def __repr__(self) -> str:
        return f"<VolumePredictor: {self.title}>"

    def predict(
        self,
        oct: VolumeLike | Sequence[VolumeLike],
        *,
        eye: str | Sequence[str] | None = None,
        ids: str | Sequence[str] | None = None,
        oct_axes: str | None = None,
        oct_range: str | None = None,
    ) -> VolumeResult | list[VolumeResult]:
        """Predicts one volume, or a list of them.

        Args:
          oct: a path or an array (slices, depth, width), see `inputs.volume_of`; or a list.
          eye: "OD" (right) or "OS" (left), of all, or a list; needed by a network that was trained
            with right eyes turned into left ones.
          ids: names of the volumes, in results and file names; None = names of the files, or
            eye_1, eye_2, ...
          oct_axes, oct_range: what axes ("depth,width,slices") and numbers ("0..40", black to
            white) of the volumes mean; None = as the run was told, else judged.

        Returns:
          A VolumeResult, or a list of them for a list.

        Raises:
          ValueError: an input that cannot be read, with its name, the reason and what to do.
        """
        scans, many = inputs.as_list(oct)
        scans = inputs.form_for(scans, oct_axes, oct_range)
        sides = inputs.as_list(eye)[0] if isinstance(eye, list | tuple) else [eye] * len(scans)
        names = None if ids is None else inputs.as_list(ids)[0]
        results = list(self.stream(scans, sides, ids=names))
        return results if many else results[0]

    __call__ = predict

    def stream(
        self,
        scans: Sequence[VolumeLike],
        sides: Sequence[str | None],
        *,
        ids: Sequence[str] | None = None,
        keep_going: bool = False,
    ) -> Iterator[VolumeResult | NotRead]:
        """As `predict` of a list, one after the other: for more volumes than fit into memory.

        With `keep_going` a volume that cannot be used ends nothing: a NotRead with the reason takes
        its place. Without, it raises.
        """
        self._require_sides(sides, len(scans))
        names = inputs.distinct_ids(scans, ids)
        if not keep_going:
            inputs.require_files(scans)
        for name, scan, side in zip(names, scans, sides, strict=True):
            try:
                volume, warnings = inputs.volume_of(scan, name, self.settings.oct_form)
            except inputs.FAULTS as fault:
                if not keep_going:
                    raise
                yield NotRead(name, str(fault))
                continue
            yield self._result(name, self._store(name, volume, side), tuple(warnings))

    def _require_sides(self, sides: Sequence[str | None], number: int) -> None:
        if len(sides) != number:
            raise inputs.BadInput(f"{len(sides)} eyes for {number} volumes")
        if unknown := [side for side in sides if side is not None and side not in SIDES]:
            raise inputs.BadInput(f"eye is {unknown[0]!r}: OD (right) or OS (left)")
        if self.settings.right_as_left and None in sides:
            raise inputs.BadInput(
                "this network mirrors right eyes: say of each volume whether its eye is OD (right) "
                "or OS (left)"
            )

    def _store(self, name: str, volume: np.ndarray, side: str | None) -> ScreeningStore:
        """A store of this volume alone: what evaluation reads its batches from."""
        entry = ScreeningVolume(
            name, name, side or "OS", "1", _SPLIT, pathlib.Path(name), glaucoma=0
        )
        return ScreeningArrayStore.of_one(entry, volume, self.settings.grid)

    def _result(self, name: str, store: ScreeningStore, warnings: tuple[str, ...]) -> VolumeResult:
        """Asks for all B-scans, or the cube, of the only volume of a store."""
        found = predict_volumes(self.networks, store, _SPLIT, self.settings, keep_seen=True)
        field = None
        if found.vf is not None:
            field = dict(zip(visual_field.INDICES, map(float, found.vf[0]), strict=True))
        return VolumeResult(
            id=name,
            probability=float(found.probability[0]),
            visual_field=field,
            num_scans=int(found.scans[0]),
            evidence=evidence_of(store, _SPLIT, 0, found.seen[0]),
            warnings=warnings,
            threshold=self.threshold,
        )
