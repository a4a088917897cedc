"""How many volumes there are: for the line a screening run prints first."""

import dataclasses

from data_pipelines.load.screening_stores import ScreeningStore


@dataclasses.dataclass(frozen=True)
class ScreeningCounts:
    """Numbers of one split. `cases` are eye visits; `with_field` volumes have all three indices."""

    volumes: int
    patients: int
    cases: int
    glaucoma: int
    with_field: int
    scans: int


def count_screening(store: ScreeningStore) -> dict[str, ScreeningCounts]:
    """Split -> numbers, for the splits that have volumes."""
    return {split: _count_split(store, split) for split in store.splits}


def _count_split(store: ScreeningStore, split: str) -> ScreeningCounts:
    patients = store.patients(split)
    return ScreeningCounts(
        volumes=store.num(split),
        patients=len(set(patients)),
        cases=len(set(zip(patients, store.eyes(split), store.visits(split), strict=True))),
        glaucoma=int(store.glaucoma(split).sum()),
        with_field=int(store.has_vf(split).all(axis=1).sum()),
        scans=int(store.num_scans(split).sum()),
    )


def describe_screening(counts: dict[str, ScreeningCounts]) -> str:
    """One line, as 'train 120 volumes of 60 patients (cases 120, glaucoma 70, visual field 82,
    B-scans 3840); ...'."""
    return "; ".join(
        f"{split or 'no split'} {c.volumes} volumes of {c.patients} patients (cases {c.cases}, "
        f"glaucoma {c.glaucoma}, visual field {c.with_field}, B-scans {c.scans})"
        for split, c in counts.items()
    )
