"""The table of a screening run's volumes, read back."""

import pathlib

import numpy as np
import pandas as pd

from imo_jax import visual_field
from imo_jax.metrics.screening import VolumeRecord


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
