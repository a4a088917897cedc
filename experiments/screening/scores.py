"""The scores of a screening run: what they are called, and the table of its volumes read back."""

import pathlib

import numpy as np
import pandas as pd

from imo_jax import visual_field
from imo_jax.metrics.screening import VolumeRecord

# Key of summary.json -> what to call it.
SCORES = {
    **{
        f"{level}_{name}": f"{level} level: {title}"
        for level in ("image", "case")
        for name, title in {
            "accuracy": "accuracy",
            "f1": "F1",
            "auc": "AUC",
            "sensitivity_at_90_specificity": "sensitivity at 90 % specificity",
            "sensitivity_at_95_specificity": "sensitivity at 95 % specificity",
            "ece": "calibration error",
            "brier": "Brier score",
            "accuracy_at_chosen": "accuracy, threshold of validation",
            "f1_at_chosen": "F1, threshold of validation",
        }.items()
    },
    **{
        f"{index}_{name}": f"{index.upper()}: {title}"
        for index in visual_field.INDICES
        for name, title in {
            "r": "Pearson r",
            "mae": f"mean absolute error ({visual_field.UNITS[index]})",
            "rmse": f"root mean square error ({visual_field.UNITS[index]})",
        }.items()
    },
}


def read_records(path: pathlib.Path) -> list[VolumeRecord]:
    """The records behind a per_image.csv."""
    names = ("id", "patient", "eye", "visit")
    table = pd.read_csv(path, dtype=dict.fromkeys(names, str))
    fields = {
        kind: table[[f"{index}_{kind}" for index in visual_field.INDICES]].to_numpy(float)
        for kind in ("true", "pred")
    }
    return [
        VolumeRecord(
            **{name: row[name] for name in names},
            glaucoma=int(row["glaucoma"]),
            probability=float(row["probability"]),
            vf_predicted=None if np.isnan(predicted).all() else predicted,
            vf_measured=measured,
        )
        for row, measured, predicted in zip(
            table.to_dict("records"), fields["true"], fields["pred"], strict=True
        )
    ]
