"""The same test eyes by every method of a table, as a picture."""

from collections.abc import Sequence

import numpy as np

from data_pipelines.load.stores import Store
from experiments.comparison.scores import Finished
from experiments.run_eval import SPLIT
from imo_jax.labels import GRADE_NAMES, REGIONS
from imo_jax.metrics.cup_to_disc import vertical_cdr
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.metrics.segmentation import region_dice
from imo_jax.visualisation.methods_panel import ComparedEye, View, methods_panel

EYES = 4


def eyes_picture(finished: Sequence[Finished], store: Store, title: str) -> np.ndarray:
    """Eyes of fold 0 as the runs of seed 0 see them.

    Args:
      finished: rows of a table.
      store: the eyes of fold 0.
      title: one line.

    Returns:
      (height, width, 3) uint8.
    """
    return methods_panel([compared(finished, store, i) for i in shown_eyes(store)], title=title)


def shown_eyes(store: Store, number: int = EYES) -> list[int]:
    """Positions of test eyes, evenly from the smallest true vertical CDR to the largest.

    So they are the same for all tables, and not picked for any method. Without masks: the first.
    """
    ratios = {}
    for i in np.flatnonzero(store.has_mask(SPLIT)):
        ratio = vertical_cdr(store.native_mask(SPLIT, int(i)))
        if np.isfinite(ratio):
            ratios[int(i)] = ratio
    if not ratios:
        return list(range(min(number, store.num(SPLIT))))
    ordered = sorted(ratios, key=ratios.get)
    places = np.linspace(0, len(ordered) - 1, min(number, len(ordered)))
    return [ordered[round(place)] for place in places]


def compared(finished: Sequence[Finished], store: Store, i: int) -> ComparedEye:
    """Test eye i with what each row says of it."""
    example = store.example(SPLIT, i)
    lines = []
    if example["has_mask"]:
        ratio = vertical_cdr(store.native_mask(SPLIT, i))
        lines.append(f"vertical CDR {ratio:.2f}" if np.isfinite(ratio) else "no disc")
    if example["has_grade"]:
        lines.append(GRADE_NAMES[int(example["grade"])])
    return ComparedEye(
        name=example["id"],
        photograph=example["fundus"],
        truth=View(example["mask"] if example["has_mask"] else None, tuple(lines)),
        methods={f.title: _view(f, i) for f in finished},
    )


def _view(finished: Finished, i: int) -> View:
    record = finished.seeds[0][i]  # fold 0 comes first
    return View(None if finished.masks is None else finished.masks[i], said(record))


def said(record: EyeRecord) -> tuple[str, ...]:
    """A record in few words: Dice of disc and cup, grade with its probability."""
    lines = []
    if record["confusion"] is not None:
        dice = {name: float(region_dice(record["confusion"], REGIONS[name])) for name in REGIONS}
        lines.append(f"Dice {dice['disc']:.2f}, {dice['cup']:.2f}")
    if record["grade_probabilities"] is not None:
        best = int(np.argmax(record["grade_probabilities"]))
        share = 100 * record["grade_probabilities"][best]
        lines.append(f"{GRADE_NAMES[best]} ({share:.0f} %)")
    return tuple(lines)
