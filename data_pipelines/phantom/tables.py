"""The tables of a phantom: manifest.csv, screening.csv and truth.csv."""

import csv
import dataclasses
import pathlib

import numpy as np

from data_pipelines import splits
from data_pipelines.phantom import angles, camera, perimetry
from data_pipelines.phantom.eye import Eye
from data_pipelines.phantom.worker import volume_name

MANIFEST_COLUMNS = ("id", "patient", "split", "fundus", "oct", "mask", "grade")
SCREENING_COLUMNS = (
    "id", "patient", "eye", "visit", "split", "oct", "glaucoma", "vfi", "md", "psd",
)  # fmt: skip


def split_eyes(
    eyes: list[Eye], seed: int, val_fraction: float, test_fraction: float
) -> dict[str, str]:
    """Split by eye id; by patient, stratified by grade."""
    names = splits.stratified_splits(
        [eye.patient_id for eye in eyes],
        [eye.grade for eye in eyes],
        {"val": val_fraction, "test": test_fraction},
        seed,
    )
    return {eye.id: name for eye, name in zip(eyes, names, strict=True)}


def hidden_visits(
    eyes: list[Eye], split: dict[str, str], seed: int, visits: int, fraction: float
) -> set[tuple[str, int]]:
    """(eye id, visit) whose visual field is withheld: `fraction` of each class's training visits.

    All volumes of a visit lose it together: a twin volume of the same day would give it away.
    """
    rng = np.random.default_rng([seed, 98])
    hidden: set[tuple[str, int]] = set()
    for glaucoma in (False, True):
        candidates = [
            (eye.id, visit)
            for eye in eyes
            if split[eye.id] == "train" and eye.latents.glaucoma == glaucoma
            for visit in range(1, visits + 1)
        ]
        chosen = rng.permutation(len(candidates))[: round(fraction * len(candidates))]
        hidden.update(candidates[i] for i in chosen)
    return hidden


def write_manifest(root: pathlib.Path, eyes: list[Eye], split: dict[str, str]) -> None:
    """manifest.csv: one row an eye, with the first volume of the first visit."""
    rows = [
        {
            "id": eye.id,
            "patient": eye.patient_id,
            "split": split[eye.id],
            "fundus": f"fundus/{eye.id}.jpg",
            "oct": f"oct/{volume_name(eye, 1, 1)}.npy",
            "mask": f"masks/{eye.id}.png",
            "grade": eye.grade,
        }
        for eye in eyes
    ]
    _write(root / "manifest.csv", MANIFEST_COLUMNS, rows)


def write_screening(
    root: pathlib.Path,
    eyes: list[Eye],
    split: dict[str, str],
    hidden: set[tuple[str, int]],
    visits: int,
    volumes_per_visit: int,
) -> None:
    """screening.csv: one row a volume; the visual field is that of its visit, or withheld."""
    rows = []
    for eye in eyes:
        for number in range(1, visits + 1):
            field = eye.visit(number).field
            shown = (eye.id, number) not in hidden
            for volume in range(1, volumes_per_visit + 1):
                name = volume_name(eye, number, volume)
                rows.append(
                    {
                        "id": name,
                        "patient": eye.patient_id,
                        "eye": eye.side,
                        "visit": number,
                        "split": split[eye.id],
                        "oct": f"oct/{name}.npy",
                        "glaucoma": int(eye.latents.glaucoma),
                        "vfi": f"{field.vfi:.0f}" if shown else "",
                        "md": f"{field.md:.2f}" if shown else "",
                        "psd": f"{field.psd:.2f}" if shown else "",
                    }
                )
    _write(root / "screening.csv", SCREENING_COLUMNS, rows)


def truth_row(eye: Eye) -> dict[str, object]:
    """Everything that is known of an eye at its first visit: no manifest, nothing to train on."""
    first, taken = eye.first, eye.camera
    true_field = perimetry.without_noise(first.latents, first.shape.loss_db)
    disc_pixels = first.shape.disc_height * camera.pixels_per_mm(eye.latents)
    row: dict[str, object] = {
        "id": eye.id,
        "grade": eye.grade,
        "vcdr": first.shape.vcdr,
        "rnfl_mean": first.shape.rnfl_mean,
        **{f"rnfl_{k}": v for k, v in angles.sector_means(first.shape.rnfl).items()},
        "md": first.field.md,
        "psd": first.field.psd,
        "vfi": first.field.vfi,
        "true_md": true_field.md,
        "true_psd": true_field.psd,
        "true_vfi": true_field.vfi,
        "disc_height_pixels": disc_pixels,
        "disc_height_of_field": disc_pixels / (2 * camera.FIELD_RADIUS),
        "disc_column": taken.centre[0],
        "disc_row": taken.centre[1],
    }
    latents = dataclasses.asdict(eye.latents)
    assert not latents.keys() & row.keys(), "a latent and a measure share a name"
    for name, value in latents.items():
        row[name] = " ".join(f"{v:.6g}" for v in np.ravel(value)) if _is_list(value) else value
    return {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}


def write_truth(root: pathlib.Path, eyes: list[Eye]) -> None:
    """truth.csv: latents and true measures of every eye."""
    rows = [truth_row(eye) for eye in eyes]
    _write(root / "truth.csv", tuple(rows[0]), rows)


def _is_list(value: object) -> bool:
    return isinstance(value, tuple | list)


def _write(path: pathlib.Path, columns: tuple[str, ...], rows: list[dict]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
