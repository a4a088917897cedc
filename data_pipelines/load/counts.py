"""How much data there is: for the line a run prints first."""

import dataclasses

import numpy as np

from data_pipelines.load.stores import Store


@dataclasses.dataclass(frozen=True)
class Counts:
    """Numbers of one split. `grades[g]` eyes are labelled with grade g."""

    eyes: int
    patients: int
    oct: int
    masks: int
    grades: tuple[int, ...]


def count(store: Store) -> dict[str, Counts]:
    """Split -> numbers, for the splits that have examples."""
    return {split: _count_split(store, split) for split in store.splits}


def _count_split(store: Store, split: str) -> Counts:
    labelled = store.grades(split)[store.has_grade(split)]
    return Counts(
        eyes=store.num(split),
        patients=len(set(store.patients(split))),
        oct=int(store.has_oct(split).sum()),
        masks=int(store.has_mask(split).sum()),
        grades=tuple(np.bincount(labelled, minlength=len(store.grade_names)).tolist()),
    )


def describe(counts: dict[str, Counts]) -> str:
    """One line, as 'train 120 eyes of 100 patients (oct 120, masks 80, grades 60/30/30); ...'."""
    return "; ".join(
        f"{split or 'no split'} {c.eyes} eyes of {c.patients} patients (oct {c.oct}, "
        f"masks {c.masks}, grades {'/'.join(map(str, c.grades))})"
        for split, c in counts.items()
    )
