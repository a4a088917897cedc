"""Prediction: one eye from its files, or every eye of a manifest. Needs no TensorFlow."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.bad_file import BadFile
from data_pipelines.load.batches import eval_batches
from data_pipelines.load.examples import WorkingGrid, read_record
from data_pipelines.load.ordered_map import ordered_map
from data_pipelines.load.stores import ArrayStore
from data_pipelines.manifest import Eye
from experiments.drawing import eye_picture, save_image
from experiments.networks import samples
from experiments.prediction import EyePrediction, predict_batches
from experiments.reading import checked_manifest
from experiments.run_folder import write_json
from experiments.runtime import UserError, say
from experiments.scoring import score
from experiments.trained_run import TrainedRun
from imo_jax.labels import GRADE_NAMES
from imo_jax.metrics.imo_eye import EyeRecord

SPLIT = ""  # eyes to predict belong to none


def run_predict(
    run: TrainedRun,
    *,
    fundus: str | None,
    volume: str | None,
    manifest: str | None,
    out: str | None,
) -> list[dict[str, Any]]:
    """Predicts eyes and writes for each `<id>_mask.png`, `<id>_overlay.png` and `<id>.json`.

    The mask holds ids (0 background, 1 rim, 2 cup) at the photograph's own size.

    Args:
      run: from restore_run.
      fundus, volume: files of one eye; the OCT volume may be None.
      manifest: or a manifest, whose splits and labels are not looked at.
      out: folder to write to; None = `predictions` in the run's folder.

    Returns:
      What the JSON files hold, in order.

    Raises:
      UserError: neither or both of fundus and manifest, or input that cannot be read.
    """
    eyes = asked_eyes(run, fundus, volume, manifest)
    folder = pathlib.Path(out) if out else run.folder.predictions
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    try:
        for store, prediction in predict_eyes(run, eyes):
            results.append(write_eye(folder, store, prediction))
            say(one_line(results[-1]))
    except BadFile as error:
        raise UserError(str(error)) from error
    say(f"written to {folder}")
    return results


def asked_eyes(
    run: TrainedRun, fundus: str | None, volume: str | None, manifest: str | None
) -> Sequence[Eye]:
    """The eyes that the user names, without their labels."""
    if (fundus is None) == (manifest is None):
        raise UserError("give either --fundus=PHOTOGRAPH (with --oct=VOLUME if there is one) or "
                        "--manifest=FILE")  # fmt: skip
    if volume is not None and fundus is None:
        raise UserError("--oct belongs to --fundus; a manifest names its own volumes")
    if volume is not None and not run.config.model.use_oct:
        say("this run was trained without OCT: the volume is not looked at")
        volume = None
    if manifest is not None:
        data_root = run.config.data.data_root
        eyes = checked_manifest(manifest, data_root, ("predict",), run.config.model).eyes
        return [dataclasses.replace(eye, split=SPLIT, mask=None, grade=None) for eye in eyes]
    paths = [pathlib.Path(path) for path in (fundus, volume) if path is not None]
    if absent := [str(path) for path in paths if not path.exists()]:
        raise UserError("\n".join(f"{path}: no such file" for path in absent))
    name = paths[0].stem
    return [Eye(name, name, SPLIT, paths[0].absolute(), *(p.absolute() for p in paths[1:]))]


def predict_eyes(
    run: TrainedRun, eyes: Sequence[Eye]
) -> Iterator[tuple[ArrayStore, EyePrediction]]:
    """Each eye's prediction, and a store that holds it at the prediction's index."""
    config = run.config
    grid = WorkingGrid(config.data.image_size, config.oct_shape, config.data.crop_to_field)
    size = min(config.evaluation.eval_batch_size, len(eyes))
    records = ordered_map(lambda eye: read_record(eye, grid), eyes, workers=2, ahead=size)
    while chunk := list(itertools.islice(records, size)):
        store = ArrayStore(grid, {SPLIT: chunk})
        batches = eval_batches(store, SPLIT, batch_size=size, use_oct=config.model.use_oct)
        # All eyes draw the same noise: what is said of an eye does not depend on its company.
        batches = ({**batch, "index": np.zeros_like(batch["index"])} for batch in batches)
        predictions = predict_batches(run.variables, batches, config.model, samples=samples(config))
        for i, prediction in enumerate(predictions):
            yield store, dataclasses.replace(prediction, index=i)


def write_eye(folder: pathlib.Path, store: ArrayStore, prediction: EyePrediction) -> dict[str, Any]:
    """Writes the files of one eye; the JSON last, so that where it is, the rest is too."""
    record = score(store, SPLIT, prediction)
    probabilities = prediction.native_probabilities(store.frame(SPLIT, prediction.index))
    if probabilities is not None:
        mask = Image.fromarray(probabilities.argmax(axis=-1).astype(np.uint8))
        mask.save(folder / f"{prediction.id}_mask.png")
        picture = eye_picture(store, SPLIT, prediction, record)
        save_image(folder / f"{prediction.id}_overlay.png", picture)
    result = eye_json(store, prediction, record)
    write_json(folder / f"{prediction.id}.json", result)
    return result


def eye_json(store: ArrayStore, prediction: EyePrediction, record: EyeRecord) -> dict[str, Any]:
    """What is said of one eye; None where a number is not defined (no disc found)."""
    result: dict[str, Any] = {
        "id": prediction.id,
        "has_oct": bool(store.has_oct(SPLIT)[prediction.index]),
    }
    if prediction.grade_probabilities is not None:
        probabilities = [float(p) for p in prediction.grade_probabilities]
        result["grade"] = GRADE_NAMES[int(np.argmax(probabilities))]
        result["grade_probabilities"] = dict(zip(GRADE_NAMES, probabilities, strict=True))
    if prediction.probabilities is not None:
        result["vertical_cdr"] = {
            "value": _defined(record["vcdr_pred"]),
            "sd_over_samples": _defined(record["vcdr_sd"]),
            "samples": len(prediction.sample_ids),
        }
    return result


def one_line(result: dict[str, Any]) -> str:
    """An eye's result as a person would say it."""
    parts = []
    if "grade" in result:
        share = result["grade_probabilities"][result["grade"]]
        parts.append(f"grade {result['grade']} ({100 * share:.0f} %)")
    if "vertical_cdr" in result:
        ratio, spread = (result["vertical_cdr"][key] for key in ("value", "sd_over_samples"))
        text = "no disc found" if ratio is None else f"vertical CDR {ratio:.2f}"
        parts.append(text if ratio is None or spread is None else f"{text} ± {spread:.3f}")
    if not result["has_oct"]:
        parts.append("from the photograph alone")
    return f"{result['id']}: {', '.join(parts)}"


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
