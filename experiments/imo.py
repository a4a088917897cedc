"""IMO: joint optic disc and cup segmentation and glaucoma grading.

python -m experiments.imo                                   # phantom: train, evaluate, draw
python -m experiments.imo --flagfile=experiments/flagfiles/imo/gamma.flags --manifest=...
python -m experiments.imo --mode=predict --workdir=runs/imo --fundus=eye.jpg --oct=eye.npy
"""

import sys

from experiments.runtime import UserError, say, set_up  # first: it quiets what is imported next

from absl import app, flags  # isort: skip

from data_pipelines.load.stores import Store
from experiments import flag_fields
from experiments.config import FREE_TO_CHANGE, RunConfig
from experiments.presets import PRESETS
from experiments.reading import checked_store, make_default_phantom
from experiments.run_check import run_check
from experiments.run_eval import run_eval
from experiments.run_predict import run_predict
from experiments.run_train import run_train
from experiments.saved_config import refuse_other_config
from experiments.trained_run import restore_run
from imo_jax.models.imo.config import SIZES

FLAGS = flags.FLAGS

MODES = ("train", "eval", "predict", "check")
flags.DEFINE_enum("mode", None, MODES, "what to do; without it: train, evaluate and draw")
flags.DEFINE_enum("preset", "default", list(PRESETS), "settings to start from")
flags.DEFINE_enum("size", None, list(SIZES), "size of the network; default: the preset's")
flags.DEFINE_string("workdir", "runs/imo", "folder of the run: all that it writes, all it needs")
flags.DEFINE_string("out", None, "folder for evaluation or predictions; default: in --workdir")
flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "which one to evaluate or predict with")
flags.DEFINE_string("fundus", None, "photograph to predict (--mode=predict)")
flags.DEFINE_string("oct", None, "OCT volume beside --fundus; may be missing")
flag_fields.define_flags(RunConfig)


def configured() -> RunConfig:
    """The preset, with the size and the settings given as flags."""
    config = PRESETS[FLAGS.preset]()
    if FLAGS.size is not None:
        config = flag_fields.replace_leaves(config, flag_fields.leaves(SIZES[FLAGS.size]))
    try:
        return flag_fields.replace_leaves(config, flag_fields.given_flags(RunConfig))
    except ValueError as error:
        raise UserError(str(error)) from error


def train() -> int:
    config, store = opened(("train",))
    return run_train(config, FLAGS.workdir, store).exit_code


def evaluate() -> int:
    run = restore_run(FLAGS.workdir, flag_fields.given_flags(RunConfig), FLAGS.checkpoint)
    run_eval(run, FLAGS.out, checked_store(run.config, ("eval",)))
    return 0


def train_and_evaluate() -> int:
    config, store = opened(("train", "eval"))
    if exit_code := run_train(config, FLAGS.workdir, store).exit_code:
        return exit_code
    run = restore_run(FLAGS.workdir, flag_fields.given_flags(RunConfig), FLAGS.checkpoint)
    run_eval(run, FLAGS.out, store)
    return 0


def opened(need: tuple[str, ...]) -> tuple[RunConfig, Store]:
    """The settings of a run that is to be trained, and its eyes."""
    config = configured()
    refuse_other_config(FLAGS.workdir, config, FREE_TO_CHANGE)
    make_default_phantom(config.data.manifest)
    return config, checked_store(config, need)


def predict() -> int:
    given = flag_fields.given_flags(RunConfig)
    run = restore_run(FLAGS.workdir, given, FLAGS.checkpoint)
    run_predict(
        run, fundus=FLAGS.fundus, volume=FLAGS.oct, manifest=given.get("manifest"), out=FLAGS.out
    )
    return 0


def check() -> int:
    config = configured()
    make_default_phantom(config.data.manifest)
    return run_check(config)


PROGRAMS = {
    None: train_and_evaluate,
    "train": train,
    "eval": evaluate,
    "predict": predict,
    "check": check,
}


def main(arguments: list[str]) -> int:
    if len(arguments) > 1:
        raise app.UsageError(f"not a flag: {' '.join(arguments[1:])}")
    set_up()
    try:
        return PROGRAMS[FLAGS.mode]()
    except UserError as error:
        say(f"error: {error}")
        return 2


if __name__ == "__main__":
    app.run(lambda arguments: sys.exit(main(arguments)))
