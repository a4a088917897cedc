"""`--mode=check`: everything that is wrong with a screening manifest and its volumes."""

from data_pipelines.manifest import format_problems
from data_pipelines.manifest.check import check_screening_manifest
from data_pipelines.manifest.problems import errors
from experiments.runtime import check_memory
from experiments.screening.config import ScreeningConfig


def run_check(config: ScreeningConfig) -> int:
    """Prints all problems of the run's manifest; returns the exit code, 1 where it has errors."""
    problems = check_screening_manifest(
        config.data.manifest,
        config.data.data_root,
        need=("train", "eval"),
        surrogates=config.recipe.surrogates and config.train_subset == "all",
        memory=check_memory(),
        oct_form=config.oct.form,
        say=print,
    )
    print(f"{config.data.manifest}: {format_problems(problems)}")
    return 1 if errors(problems) else 0
