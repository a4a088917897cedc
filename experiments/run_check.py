"""`--mode=check`: everything that is wrong with a manifest and its files, and nothing else."""

from data_pipelines.manifest import format_problems
from data_pipelines.manifest.check import check_manifest
from data_pipelines.manifest.problems import errors
from experiments.config import EyeRunConfig
from experiments.reading import used_labels
from experiments.runtime import check_memory


def run_check(config: EyeRunConfig) -> int:
    """Prints all problems of the run's manifest; returns the exit code, 1 where it has errors."""
    problems = check_manifest(
        config.data.manifest,
        config.data.data_root,
        need=("train", "eval"),
        labels=used_labels(config),
        memory=check_memory(),
        oct_form=config.oct.form,
        say=print,
    )
    print(f"{config.data.manifest}: {format_problems(problems)}")
    return 1 if errors(problems) else 0
