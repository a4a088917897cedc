"""Records of eyes as arrays, which a file can hold, and back."""

from collections.abc import Mapping, Sequence

import numpy as np

from imo_jax.labels import GRADE_NAMES
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.imo_summary import grade_names_of

LABELS = ("grade", "glaucoma")
OF_PREDICTION = ("vcdr_pred", "vcdr_sd")  # NaN: nothing found; None: nothing segmented
OF_MASK = ("vcdr_true", "uncertainty_auroc")
SUMS = ("bins", "brier", "nll", "pixels")


def arrays_of(records: Sequence[EyeRecord]) -> dict[str, np.ndarray]:
    """Name -> array, of the records of one network: it segments all eyes or none, and grades all or
    none. The measures of the disc and what is doubted are left out.
    """
    masked = [r for r in records if r["confusion"] is not None]
    graded = [r for r in records if r["grade_probabilities"] is not None]
    arrays = {
        "id": np.array([r["id"] for r in records], np.str_),
        "patient": np.array([r["patient"] for r in records], np.str_),
        **{
            name: np.array([-1 if r[name] is None else r[name] for r in records])
            for name in LABELS
        },
        "grade_names": np.array(grade_names_of(records), np.str_),
        "segmented": np.array([r["vcdr_pred"] is not None for r in records]),
        "cup_is_told": np.array([bool(r["cup_is_told"]) for r in records]),
        "masked": np.array([r["confusion"] is not None for r in records]),
        # None becomes NaN
        **{n: np.array([r[n] for r in records], np.float64) for n in OF_PREDICTION + OF_MASK},
    }
    if graded:
        arrays["grade_probabilities"] = np.stack([r["grade_probabilities"] for r in graded])
    if masked:
        arrays["confusion"] = np.stack([r["confusion"] for r in masked])
        arrays |= {name: np.stack([r["calibration"][name] for r in masked]) for name in SUMS}
    return arrays


def records_of(arrays: Mapping[str, np.ndarray]) -> list[EyeRecord]:
    """The inverse of `arrays_of`."""
    names = tuple(map(str, arrays.get("grade_names", GRADE_NAMES)))
    with_mask = iter(range(int(arrays["masked"].sum())))
    records = []
    for i, eye_id in enumerate(arrays["id"]):
        record: EyeRecord = {"id": str(eye_id), "patient": str(arrays["patient"][i])}
        record["grade_names"] = names
        for name in LABELS:
            value = int(arrays[name][i]) if name in arrays else -1
            record[name] = None if value < 0 else value
        graded = arrays.get("grade_probabilities")
        record["grade_probabilities"] = None if graded is None else graded[i]
        segmented, masked = arrays["segmented"][i], arrays["masked"][i]
        record |= {name: float(arrays[name][i]) if segmented else None for name in OF_PREDICTION}
        record |= {name: float(arrays[name][i]) if masked else None for name in OF_MASK}
        record["confusion"] = record["calibration"] = record["cup_is_told"] = None
        if masked:
            k = next(with_mask)
            record["confusion"] = arrays["confusion"][k]
            told = arrays.get("cup_is_told")  # none of earlier versions, in which the cup was scored
            record["cup_is_told"] = told is None or bool(told[i])
            record["calibration"] = {name: arrays[name][k] for name in SUMS}
        records.append(record)
    return records
