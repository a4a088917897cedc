"""Three controls that say the phantom is not easy.

A fixed disc at the mean place must not segment it, and neither of the two best-known measures alone
must grade it: both sources are needed.
"""

import numpy as np

from data_pipelines.phantom.camera import SIZE, make_grid
from data_pipelines.phantom.eye import Eye
from data_pipelines.phantom.fundus import ALL, disc_mask
from data_pipelines.phantom.population import Population

COARSE = 4  # pixels of the photograph per pixel of the masks compared here


def disc_masks(eyes: list[Eye]) -> np.ndarray:
    """Whole-disc masks (eyes, SIZE / COARSE, SIZE / COARSE) bool, as in the photographs."""
    masks = []
    for eye in eyes:
        grid = make_grid(eye.latents, eye.camera, ALL, ALL, step=COARSE)
        masks.append(disc_mask(eye.first.shape, grid) > 0)
    return np.array(masks)


def dice(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Dice (eyes,) of one guessed mask against each true one."""
    shared = (truth & guess).sum(axis=(1, 2))
    return 2 * shared / (truth.sum(axis=(1, 2)) + guess.sum())


def mean_shape_dice(train: list[Eye], test: list[Eye]) -> tuple[float, float]:
    """Mean Dice over `test` of fixed masks learnt from `train`.

    Returns:
      of the mean disc shape (half of the discs, moved to one centre, cover it) at the mean place;
      and of the best fixed mask: the mean mask, cut where that is best for the training eyes.
    """
    masks = disc_masks(train)
    truth = disc_masks(test)
    rows = [float(np.nonzero(m)[0].mean()) for m in masks]
    columns = [float(np.nonzero(m)[1].mean()) for m in masks]
    middle = SIZE // COARSE // 2
    centred = [
        np.roll(m, (round(middle - r), round(middle - c)), axis=(0, 1))
        for m, r, c in zip(masks, rows, columns, strict=True)
    ]
    shape = np.mean(centred, axis=0) >= 0.5
    move = (round(np.mean(rows)) - middle, round(np.mean(columns)) - middle)
    at_mean_place = np.roll(shape, move, axis=(0, 1))
    mean_mask = masks.mean(axis=0)
    levels = [level for level in np.arange(0.05, 0.95, 0.05) if (mean_mask > level).any()]
    best = max(levels, key=lambda level: dice(masks, mean_mask > level).mean())
    return float(dice(truth, at_mean_place).mean()), float(dice(truth, mean_mask > best).mean())


def grading_kappas(population: Population) -> dict[str, float]:
    """Quadratic-weighted kappa of grading from true measures, on the half not used for fitting.

    Multinomial logistic regression on the measures, their squares and products. Keys: "vcdr",
    "rnfl" (mean thickness), "both", and for comparison "both and sectors".
    """
    # Needed here alone; the generator itself does without scikit-learn.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import cohen_kappa_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    # Both eyes of a patient lie on one side of the cut but for, at most, one patient.
    half = len(population.grade) // 2
    measures = {
        "vcdr": population.vcdr[:, None],
        "rnfl": population.rnfl_mean[:, None],
        "both": np.stack([population.vcdr, population.rnfl_mean], axis=1),
        "both and sectors": np.column_stack([population.vcdr, population.sectors]),
    }
    kappas = {}
    for name, x in measures.items():
        model = make_pipeline(
            PolynomialFeatures(2), StandardScaler(), LogisticRegression(max_iter=1000)
        )
        model.fit(x[:half], population.grade[:half])
        guess = model.predict(x[half:])
        kappas[name] = float(cohen_kappa_score(population.grade[half:], guess, weights="quadratic"))
    return kappas
