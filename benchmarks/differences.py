"""What separates two methods on the same eyes: paired differences of evaluations, means over seeds.

    python -m benchmarks.differences runs/imo-seed*/eval --minus runs/unet-seed*

Each argument is the folder of an evaluation with its per_eye.csv, of experiments.imo, experiments.segmenter or
benchmarks.unet. A method's score of an eye is the mean over its folders (of kappa: the mean of their kappas);
the 95 % interval of the difference is a bootstrap by patient, so it says which eyes were drawn, and not how trainings
vary: for that the scores by folder are printed, too.
"""

import argparse
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from imo_jax.metrics.bootstrap import (
    RESAMPLES,
    Interval,
    Statistic,
    difference,
    interval,
    of_sums,
    patient_weights,
    weighted_mean,
)
from imo_jax.metrics.cup_to_disc import ratio_errors
from imo_jax.metrics.grading import quadratic_weighted_kappa
from imo_jax.report.seed_means import cell, markdown

# Name -> what it needs of per_eye.csv, and the score of each eye in it.
BY_EYE: dict[str, tuple[tuple[str, ...], Callable[[pd.DataFrame], pd.Series]]] = {
    "disc Dice": (("dice_disc",), lambda eyes: eyes["dice_disc"]),
    "cup Dice": (("dice_cup",), lambda eyes: eyes["dice_cup"]),
    "vertical CDR error": (
        ("vcdr_pred", "vcdr_true"), lambda eyes: ratio_errors(eyes["vcdr_pred"], eyes["vcdr_true"]),
    ),
}  # fmt: skip
GRADES = ("grade_true", "grade_pred")
KAPPA = "kappa"

Evaluations = Sequence[pd.DataFrame]  # of one method, the same eyes in the same order


def read(folders: Sequence[pathlib.Path]) -> list[pd.DataFrame]:
    """The eyes of each evaluation.

    Raises:
      ValueError: a folder holds none, or not the same eyes in the same order as the first.
    """
    found = [_read(folder / "per_eye.csv") for folder in folders]
    for folder, eyes in zip(folders, found, strict=True):
        if list(eyes["id"]) != list(found[0]["id"]):
            raise ValueError(f"{folder}: other eyes, or in another order, than in {folders[0]}")
    return found


def _read(file: pathlib.Path) -> pd.DataFrame:
    try:
        return pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{file}: cannot be read ({error}); give folders of evaluations, as runs/imo/eval"
        ) from error


def scored(evaluations: Evaluations) -> dict[str, Statistic]:
    """The statistics of a method that its evaluations have something for, by name."""
    found: dict[str, Statistic] = {}
    for name, (columns, score) in BY_EYE.items():
        if all(set(columns) <= set(eyes) for eyes in evaluations):
            values = np.mean([score(eyes) for eyes in evaluations], axis=0)
            if np.isfinite(values).any():
                found[name] = weighted_mean(values)
    if all(
        set(GRADES) <= set(eyes) and eyes[list(GRADES)].notna().any().all() for eyes in evaluations
    ):
        kappas = [_kappa(eyes) for eyes in evaluations]
        found[KAPPA] = lambda weights: np.mean([kappa(weights) for kappa in kappas], axis=0)
    return found


def _kappa(eyes: pd.DataFrame) -> Statistic:
    """Quadratic-weighted kappa of the eyes that have a grade."""
    known = eyes[list(GRADES)].notna().all(axis=1)
    true, predicted = (eyes[name].where(known, 0).to_numpy(int) for name in GRADES)
    side = 1 + max(true.max(), predicted.max())
    matrices = np.zeros((len(eyes), side, side))
    matrices[np.arange(len(eyes)), true, predicted] = known
    return of_sums(matrices, quadratic_weighted_kappa)


def differences(first: Evaluations, second: Evaluations) -> dict[str, dict[str, Interval]]:
    """Name of a score -> `first`, `second` and `difference` (first - second) with 95 % intervals.

    Raises:
      ValueError: as `read`, of the two.
    """
    if list(first[0]["id"]) != list(second[0]["id"]):
        raise ValueError("the two methods were not scored on the same eyes in the same order")
    weights = patient_weights(first[0]["patient"], RESAMPLES, np.random.default_rng(0))
    ours, theirs = scored(first), scored(second)
    return {
        name: {
            "first": interval(ours[name], weights),
            "second": interval(theirs[name], weights),
            "difference": difference(ours[name], theirs[name], weights),
        }
        for name in ours
        if name in theirs
    }


def by_folder(evaluations: Evaluations, name: str) -> str:
    """A score of each evaluation by itself."""
    once = np.ones((1, len(evaluations[0])))
    return ", ".join(f"{scored([eyes])[name](once)[0]:.3f}" for eyes in evaluations)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", nargs="+", type=pathlib.Path, help="evaluations of a method")
    parser.add_argument("--minus", nargs="+", type=pathlib.Path, required=True, help="of another")
    options = parser.parse_args(arguments)
    try:
        first, second = read(options.first), read(options.minus)
        found = differences(first, second)
    except ValueError as error:
        parser.error(str(error))
    if not found:
        parser.error("the two have no score in common")
    rows = [
        [name, cell(of["first"]), by_folder(first, name), cell(of["second"]),
         by_folder(second, name), cell(of["difference"], "+.3f")]
        for name, of in found.items()
    ]  # fmt: skip
    print(markdown(["score", "first", "by folder", "second", "by folder", "first - second"], rows))


if __name__ == "__main__":
    main()
