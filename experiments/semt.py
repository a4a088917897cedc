"""SEMT: glaucoma screening from OCT volumes, with surrogate visual fields, and its four rivals.

python -m experiments.semt                                  # phantom: both stages, evaluate, draw
python -m experiments.semt --flagfile=experiments/flagfiles/semt/all_mt.flags --manifest=...
python -m experiments.semt --mode=table --seeds=3           # the paper's Table 1, all seven rows
python -m experiments.semt --mode=predict --workdir=runs/semt --oct=eye.npy
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

from typing import Any  # isort: skip

from absl import flags

from data_pipelines.load.screening_stores import ScreeningStore
from experiments.program import MODES, Program, Task
from experiments.program_settings import ProgramSettings
from experiments.saved_run import TrainedScreening, restore_screening
from experiments.screening.alpha import GRID, run_select_alpha
from experiments.screening.config import ScreeningConfig
from experiments.screening.presets import PRESETS
from experiments.screening.reading import checked_store, make_default_phantom, problems_of
from experiments.screening.run_eval import run_eval
from experiments.screening.run_predict import run_predict
from experiments.screening.run_train import run_surrogate, run_train
from experiments.screening.table import run_table
from imo_jax.models.semt.config import SIZE_SETTINGS
from imo_jax.predictor.volumes import SIDES
from imo_jax.train import processes

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines what only this program is told."""
    flags.DEFINE_string("oct", None, "volume to predict, a folder or 'a/pattern*' (--mode=predict)")
    flags.DEFINE_enum("eye", None, SIDES, "side of the eye of --oct: right OD, left OS")
    flags.DEFINE_integer("seeds", 3, "runs of each row (--mode=table)", lower_bound=1)
    flags.DEFINE_list("rows", None, "rows of the table; default: all (--mode=table)")
    flags.DEFINE_list("alphas", [str(a) for a in GRID], "loss weights tried (--mode=select_alpha)")


def train(
    config: ScreeningConfig, workdir: str, store: ScreeningStore
) -> tuple[int, ScreeningStore]:
    """Trains; the exit code, and the store to evaluate on."""
    return run_train(config, workdir, store).exit_code, store


def predict(run: TrainedScreening, given: dict[str, Any]) -> int:
    """Predicts what the flags name; the exit code."""
    done = run_predict(
        run, volume=FLAGS.oct, eye=FLAGS.eye, manifest=given.get("manifest"), out=FLAGS.out
    )
    return done.exit_code


def surrogate(program: Program) -> int:
    config, store = program.opened(("train",))
    exit_code = run_surrogate(config, FLAGS.workdir, store)
    processes.leave()
    return exit_code


def select_alpha(program: Program) -> int:
    alphas = [float(alpha) for alpha in FLAGS.alphas]
    return run_select_alpha(program.with_phantom(), FLAGS.workdir, alphas)


def table(program: Program) -> int:
    return run_table(program.with_phantom(), FLAGS.workdir, FLAGS.seeds, FLAGS.rows)


VOLUMES = Task(
    define_flags=define_flags,
    only_in={
        "oct": "predict", "eye": "predict", "seeds": "table", "rows": "table", "alphas": "select_alpha",
    },
    make_default_phantom=make_default_phantom,
    problems=problems_of,
    refuse=lambda config, workdir: None,
    store=checked_store,
    train=train,
    restore=restore_screening,
    seen=lambda run, store: store,
    evaluate=run_eval,
    predict=predict,
)
PROGRAM = Program(
    __doc__,
    ProgramSettings(ScreeningConfig, PRESETS, "runs/semt", SIZE_SETTINGS),
    VOLUMES,
    {
        "train": Program.train,
        "surrogate": surrogate,
        **MODES,
        "select_alpha": select_alpha,
        "table": table,
    },
)

if __name__ == "__main__":
    PROGRAM.run()
