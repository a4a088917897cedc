"""The same test eyes by every method of a table, as a picture."""

from collections.abc import Sequence

import numpy as np

from data_pipelines.load.stores import Store
from experiments.comparison.scores import Finished
from experiments.prediction import SCORED
from imo_jax.metrics.cup_to_disc import vertical_cdr
from imo_jax.metrics.imo_eye import EyeRecord
from imo_jax.report.eye_cards import shapes
from imo_jax.visualisation.methods_panel import ComparedEye, View, methods_panel

EYES = 4


def eyes_picture(
    finished: Sequence[Finished], store: Store, heads: Sequence[str], title: str
) -> np.ndarray:
    """Eyes of fold 0 as the runs of seed 0 see them.

    Args:
      finished: rows of a table.
      store: the eyes of fold 0.
      heads: of "segment" and "grade": what is shown.
      title: one line.

    Returns:
      (height, width, 3) uint8.
    """
    eyes = [compared(finished, store, heads, i) for i in shown_eyes(store)]
    return methods_panel(eyes, title=title)


def shown_eyes(store: Store, number: int = EYES) -> list[int]:
    """Positions of test eyes, evenly from the smallest true vertical CDR to the largest.

    So they are the same for all tables, and not picked for any method. Without masks: the first.
    """
    ratios = {}
    for i in np.flatnonzero(store.has_mask(SCORED)):
        ratio = vertical_cdr(store.native_mask(SCORED, int(i)))
        if np.isfinite(ratio):
            ratios[int(i)] = ratio
    if not ratios:
        return list(range(min(number, store.num(SCORED))))
    ordered = sorted(ratios, key=ratios.get)
    places = np.linspace(0, len(ordered) - 1, min(number, len(ordered)))
    return [ordered[round(place)] for place in places]


def compared(
    finished: Sequence[Finished], store: Store, heads: Sequence[str], i: int
) -> ComparedEye:
    """Test eye i with what each row says of it."""
    example = store.example(SCORED, i)
    mask = example["mask"] if example["has_mask"] else None
    lines = []
    if mask is not None and "segment" in heads:
        ratio = vertical_cdr(store.native_mask(SCORED, i))
        lines.append(f"vertical CDR {ratio:.2f}" if np.isfinite(ratio) else "no disc")
    if example["has_grade"] and "grade" in heads:
        lines.append(store.grade_names[int(example["grade"])])
    return ComparedEye(
        name=example["id"],
        photograph=example["fundus"],
        truth=View(mask, tuple(lines)),
        methods={f.title: _view(f, heads, i) for f in finished},
    )


def _view(finished: Finished, heads: Sequence[str], i: int) -> View:
    outlined = finished.masks is not None and "segment" in heads
    record = finished.seeds[0][i]  # fold 0 comes first
    return View(finished.masks[i] if outlined else None, said(record, heads))


def said(record: EyeRecord, heads: Sequence[str]) -> tuple[str, ...]:
    """A record in few words: Dice of disc and cup, grade with its probability."""
    lines = []
    if "segment" in heads and (dice := shapes(record)):
        lines.append(f"Dice: {', '.join(f'{name} {value:.2f}' for name, value in dice.items())}")
    if record["grade_probabilities"] is not None and "grade" in heads:
        best = int(np.argmax(record["grade_probabilities"]))
        share = 100 * record["grade_probabilities"][best]
        lines.append(f"{record['grade_names'][best]} ({share:.0f} %)")
    return tuple(lines)
