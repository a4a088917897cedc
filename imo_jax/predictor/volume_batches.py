"""What a network says of the volumes of a store: the mean over their B-scans, or of their cubes."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.load.mirrored import to_mirror
from data_pipelines.load.screening_batches import eval_cube_batches, eval_scan_batches
from data_pipelines.load.screening_grid import ScreeningGrid
from data_pipelines.load.screening_stores import ScreeningStore
from data_pipelines.volume_form import AS_STORED, VolumeForm
from imo_jax.models.semt.config import SemtConfig
from imo_jax.models.semt.predict import predict_batch
from imo_jax.predictor.volume_result import Evidence
from imo_jax.surrogate.descriptor import Norm3Pooling
from imo_jax.volume_sums import VolumeSums


@dataclasses.dataclass(frozen=True)
class VolumeSettings:
    """How a screening network wants its volumes.

    Attributes:
      model: config of the network.
      grid: what is made of a volume.
      right_as_left: volumes of right eyes are mirrored.
      scan_stride: every so many B-scans are looked at.
      batch_size: B-scans, or cubes, asked at a time.
      oct_form: what axes and numbers of volumes mean, where nothing else is said.
    """

    model: SemtConfig
    grid: ScreeningGrid
    right_as_left: bool
    scan_stride: int
    batch_size: int
    oct_form: VolumeForm = AS_STORED


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
    networks: Sequence[Any],
    store: ScreeningStore,
    split: str,
    settings: VolumeSettings,
    *,
    keep_seen: bool = False,
    **asked: Any,
) -> VolumePredictions:
    """Predicts every volume of a split.

    Args:
      networks, store, split, settings: as answers_of.
      keep_seen: what was said of each B-scan is kept, too, with its activation map.
      asked: `stride` and `between` of answers_of.
    """
    number = store.num(split)
    probability, vf = VolumeSums(number, 1), VolumeSums(number, 3)
    seen = [Seen() for _ in range(number if keep_seen else 0)]
    mirrored = to_mirror(store.eyes(split), "OD", settings.right_as_left)
    for batch, found in answers_of(networks, store, split, settings, **asked):
        where = batch["row"], batch["valid"]
        probability.add(found["probability"], *where)
        if "vf" in found:
            vf.add(found["vf"], *where)
        if keep_seen:
            _keep(seen, batch, found, mirrored)
    return VolumePredictions(
        probability.mean()[:, 0], vf.mean() if vf.count.any() else None, probability.count, seen
    )


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


def evidence_of(store: ScreeningStore, split: str, row: int, seen: Seen) -> Evidence:
    """What a network saw of one volume of a store, and where it saw evidence."""
    if store.grid.cube_shape is not None:
        return Evidence(store.cube(split, row), seen.maps, None)
    images = np.stack([store.scan(split, row, number) for number in seen.scans])
    return Evidence(images, seen.maps, np.array(seen.probabilities))


def descriptors(
    variables: Any, store: ScreeningStore, split: str, settings: VolumeSettings, pooling: str
) -> np.ndarray:
    """(N, C) float32 norm-3 descriptors of the volumes of a split, from all their B-scans.

    Args:
      variables: of one network.
      store, split, settings: as answers_of.
      pooling: of `surrogate.descriptor.POOLINGS`.
    """
    sums: Norm3Pooling | None = None
    for batch, found in answers_of([variables], store, split, settings, stride=1):
        if sums is None:
            sums = Norm3Pooling(store.num(split), found["features"].shape[1], pooling)
        sums.add(found["features"], batch["row"], batch["valid"])
    return sums.descriptors()


def answers_of(
    networks: Sequence[Any],
    store: ScreeningStore,
    split: str,
    settings: VolumeSettings,
    *,
    stride: int | None = None,
    between: Callable[[], None] = lambda: None,
) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Each batch of a split with what is said of it, see `said`.

    Args:
      networks: variables of one network, or of several whose mean is taken.
      store, split: the volumes.
      settings: how the network wants them.
      stride: every so many B-scans are looked at; None = as the settings say.
      between: called before each batch; may raise to stop.
    """
    networks, model = jax.device_put(networks), settings.model
    for batch in batches_of(store, split, settings, stride):
        between()
        yield batch, jax.device_get(said(networks, {model.input: batch[model.input]}, model))


def batches_of(
    store: ScreeningStore, split: str, settings: VolumeSettings, stride: int | None = None
) -> Iterator[dict[str, Any]]:
    """The B-scans, or the cubes, of the volumes of a split; arguments as answers_of."""
    how = {"batch_size": settings.batch_size, "right_as_left": settings.right_as_left}
    if settings.model.input == "cube":
        return eval_cube_batches(store, split, **how)
    return eval_scan_batches(store, split, stride=stride or settings.scan_stride, **how)


def said(networks: Sequence[Any], pixels: dict[str, Any], model: SemtConfig) -> dict[str, jax.Array]:
    """What `predict_batch` says; of several networks, the mean. May be traced: it is exported, too."""
    answers = [predict_batch(variables, pixels, config=model) for variables in networks]
    if len(answers) == 1:
        return answers[0]
    names = answers[0].keys() & {"probability", "vf", "cam"}
    return {name: jnp.mean(jnp.stack([a[name] for a in answers]), axis=0) for name in names}
