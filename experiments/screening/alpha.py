"""`--mode=select_alpha`: the weights of the regression losses, chosen on the validation split."""

import dataclasses
import pathlib

import pandas as pd

from data_pipelines.load.screening_stores import ScreeningStore
from experiments import validation_log
from experiments.run_folder import RunFolder
from experiments.runtime import UserError, say
from experiments.saved_run import refuse_other_config
from experiments.screening.config import ScreeningConfig
from experiments.screening.reading import checked_store
from experiments.screening.run_train import run_train
from imo_jax import visual_field
from imo_jax.atomic_files import write_json, write_table

# The paper chooses by validation and does not say from what.
GRID = (0.1, 0.5, 1.0, 5.0)

Alphas = tuple[float, float, float]  # of VFI, MD and PSD


def run_select_alpha(config: ScreeningConfig, workdir: str, grid: list[float]) -> int:
    """Chooses the three loss weights: first one for all, then each by itself, the others held.

    Every try is a training in a folder of its own, finished ones are kept. What decides is
    `best_metric` on the validation split at its best step; the test split is not looked at.

    Args:
      config: of the runs; its weights are replaced.
      workdir: folder of the search; alpha.csv and alpha.json go there.
      grid: weights tried.

    Returns:
      The exit code: not 0 where a run was interrupted; the same command goes on.

    Raises:
      UserError: the method regresses no visual field, a bad grid, no validation volumes, or bad input.
    """
    if not config.model.regresses:
        raise UserError(f"--method={config.method} regresses no visual field: it has no alpha")
    if not grid or min(grid) < 0:
        raise UserError(f"--alphas={grid}: want weights that are not negative")
    root = pathlib.Path(workdir)
    search = _Search(config, root, checked_store(config, ("train",)))
    if not search.store.num("val"):
        raise UserError(
            f"{config.data.manifest} has no volume in the split 'val', on which alpha is chosen"
        )
    if exit_code := search.prepare():
        return exit_code
    best: Alphas | None = None
    for places in ((0, 1, 2), (0,), (1,), (2,)):
        for alpha in grid:
            tried = (
                tuple(alpha if i in places else best[i] for i in range(3)) if best else (alpha,) * 3
            )
            if exit_code := search.run(tried):
                return exit_code
        best = search.best()
    write_json(root / "alpha.json", dict(zip(visual_field.INDICES, best, strict=True)))
    flags = " ".join(
        f"--alpha_{name}={a:g}" for name, a in zip(visual_field.INDICES, best, strict=True)
    )
    print(search.table().to_string(index=False))
    say(f"best on the validation split: {flags}")
    return 0


@dataclasses.dataclass
class _Search:
    """The tries of one search so far."""

    config: ScreeningConfig
    root: pathlib.Path
    store: ScreeningStore
    scores: dict[Alphas, float] = dataclasses.field(default_factory=dict)

    def prepare(self) -> int:
        """Trains what all tries share: the features that surrogates are found by."""
        if not self.config.recipe.surrogates or self.config.surrogate.stage1 is not None:
            return 0
        stage1 = self.config.stage1()
        folder = self.root / "stage1"
        refuse_other_config(folder, stage1)
        self.config = dataclasses.replace(
            self.config,
            surrogate=dataclasses.replace(self.config.surrogate, stage1=str(folder)),
        )
        return run_train(stage1, folder, self.store).exit_code

    def run(self, alphas: Alphas) -> int:
        """Trains with these weights, unless that is done, and keeps the validation score."""
        if alphas in self.scores:
            return 0
        names = (f"alpha_{index}" for index in visual_field.INDICES)
        objective = dataclasses.replace(
            self.config.objective, **dict(zip(names, alphas, strict=True))
        )
        config = dataclasses.replace(self.config, objective=objective)
        folder = RunFolder(self.root / "-".join(f"{alpha:g}" for alpha in alphas))
        say(f"== alpha of VFI, MD, PSD: {', '.join(f'{alpha:g}' for alpha in alphas)}")
        refuse_other_config(folder.root, config)
        if exit_code := run_train(config, folder.root, self.store).exit_code:
            return exit_code
        loop = config.loop
        self.scores[alphas] = validation_log.best(folder.validation, loop.best_metric, loop.best_mode)
        write_table(self.root / "alpha.csv", self.table())
        return 0

    def best(self) -> Alphas:
        """The first of the weights with the best score."""
        choose = max if self.config.loop.best_mode == "max" else min
        return choose(self.scores, key=self.scores.get)

    def table(self) -> pd.DataFrame:
        """One row a try."""
        metric = self.config.loop.best_metric
        return pd.DataFrame(
            [
                dict(zip(visual_field.INDICES, alphas, strict=True)) | {f"validation {metric}": s}
                for alphas, s in self.scores.items()
            ]
        )
