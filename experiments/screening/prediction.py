"""What a network says of whole volumes: the mean over their B-scans."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from data_pipelines.load.mirrored import to_mirror
from data_pipelines.load.screening_batches import eval_cube_batches, eval_scan_batches
from data_pipelines.load.screening_stores import ScreeningStore
from experiments.screening.config import ScreeningConfig
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.models.semt.config import volumes_at_once
from imo_jax.models.semt.predict import predict_batch
from imo_jax.predictor.volume_result import Evidence
from imo_jax.surrogate.descriptor import Norm3Pooling
from imo_jax.volume_sums import VolumeSums


@dataclasses.dataclass
class Seen:
    """What a network said of the B-scans of one volume, or of a cube, in order.

    Attributes:
      scans: numbers of the B-scans; [0] of a cube.
      probabilities: of glaucoma, of each.
      cams: (h, w) float32 activation maps of each, as the store's images lie (a right eye that was
        shown as a left one is turned back); of a cube one (slices, h, w).
    """

    scans: list[int] = dataclasses.field(default_factory=list)
    probabilities: list[float] = dataclasses.field(default_factory=list)
    cams: list[np.ndarray] = dataclasses.field(default_factory=list)

    @property
    def maps(self) -> np.ndarray:
        """(m, h, w) float32: the maps of all B-scans, or the slices of a cube's."""
        return np.concatenate([cam if cam.ndim == 3 else cam[None] for cam in self.cams])


@dataclasses.dataclass(frozen=True)
class VolumePredictions:
    """Predictions of the volumes of a split, in its order.

    Attributes:
      probability: (N,) float64, mean over the B-scans.
      vf: (N, 3) float64 in native units, mean over the B-scans; None where it is not regressed.
      scans: number of B-scans predicted of each volume, (N,).
      seen: of each volume; [] where it was not to be kept.
    """

    probability: np.ndarray
    vf: np.ndarray | None
    scans: np.ndarray
    seen: list[Seen]


def predict_volumes(
    variables: Any,
    store: ScreeningStore,
    split: str,
    config: ScreeningConfig,
    between: Callable[[], None] = lambda: None,
    stride: int | None = None,
    keep_seen: bool = False,
) -> VolumePredictions:
    """Predicts every volume of a split.

    Args:
      variables: of the network.
      store, split: the volumes.
      config: of the run.
      between: called before each batch; may raise to stop.
      stride: every so many B-scans are predicted; None = config.evaluation.scan_stride.
      keep_seen: the activation maps are kept, too.
    """
    number = store.num(split)
    probability, vf = VolumeSums(number, 1), VolumeSums(number, 3)
    seen = [Seen() for _ in range(number if keep_seen else 0)]
    for batch, said in predicted(variables, store, split, config, between, stride=stride):
        where = batch["row"], batch["valid"]
        probability.add(said["probability"], *where)
        if "vf" in said:
            vf.add(said["vf"], *where)
        if keep_seen:
            mirrored = to_mirror(store.eyes(split), "OD", config.augment.right_as_left)
            _keep(seen, batch, said, mirrored)
    return VolumePredictions(
        probability.mean()[:, 0], vf.mean() if vf.count.any() else None, probability.count, seen
    )


def evidence_of(store: ScreeningStore, split: str, row: int, seen: Seen) -> Evidence:
    """What the network saw of one volume of a store, and where it saw evidence."""
    if store.grid.cube_shape is not None:
        return Evidence(store.cube(split, row), seen.maps, None)
    images = np.stack([store.scan(split, row, number) for number in seen.scans])
    return Evidence(images, seen.maps, np.array(seen.probabilities))


def _keep(
    seen: list[Seen], batch: dict[str, Any], said: dict[str, np.ndarray], mirrored: np.ndarray
) -> None:
    """Adds what is said of a batch to its volumes; (N,) bool: which the network saw mirrored."""
    for i in np.flatnonzero(batch["valid"]):
        row = int(batch["row"][i])
        volume, cam = seen[row], np.asarray(said["cam"][i], np.float32)
        volume.scans.append(int(batch["scan_number"][i]))
        volume.probabilities.append(float(said["probability"][i]))
        volume.cams.append(np.flip(cam, -1) if mirrored[row] else cam)


def descriptors(
    variables: Any, store: ScreeningStore, split: str, config: ScreeningConfig, pooling: str
) -> np.ndarray:
    """(N, C) float32 norm-3 descriptors of the volumes of a split, from all their B-scans."""
    sums: Norm3Pooling | None = None
    for batch, said in predicted(variables, store, split, config, stride=1):
        if sums is None:
            sums = Norm3Pooling(store.num(split), said["features"].shape[1], pooling)
        sums.add(said["features"], batch["row"], batch["valid"])
    return sums.descriptors()


def predicted(
    variables: Any,
    store: ScreeningStore,
    split: str,
    config: ScreeningConfig,
    between: Callable[[], None] = lambda: None,
    stride: int | None = None,
) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Each batch of a split with what is said of it (predict_batch)."""
    variables = jax.device_put(variables)
    for batch in batches_of(store, split, config, stride):
        between()
        pixels = {config.model.input: batch[config.model.input]}
        yield batch, jax.device_get(predict_batch(variables, pixels, config=config.model))


def batches_of(
    store: ScreeningStore,
    split: str,
    config: ScreeningConfig,
    stride: int | None,
) -> Iterator[dict[str, Any]]:
    """Every `stride`-th B-scan (None = scan_stride), or the cubes, of the volumes of a split."""
    settings = {
        "batch_size": volumes_at_once(
            store.grid.cube_shape, config.evaluation.eval_batch_size
        ),
        "right_as_left": config.augment.right_as_left,
    }
    if config.recipe.whole_volumes:
        return eval_cube_batches(store, split, **settings)
    stride = stride or config.evaluation.scan_stride
    return eval_scan_batches(store, split, stride=stride, **settings)


def records(
    store: ScreeningStore, split: str, predictions: VolumePredictions
) -> list[VolumeRecord]:
    """The predictions beside what is known of each volume."""
    measured = np.where(store.has_vf(split), store.vf(split), np.nan)
    return [
        VolumeRecord(
            id=store.ids(split)[i],
            patient=store.patients(split)[i],
            eye=store.eyes(split)[i],
            visit=store.visits(split)[i],
            glaucoma=int(store.glaucoma(split)[i]),
            probability=float(predictions.probability[i]),
            vf_predicted=None if predictions.vf is None else predictions.vf[i],
            vf_measured=measured[i],
        )
        for i in range(store.num(split))
    ]
