"""What the programs on eyes do, and the settings that each of them offers."""

import functools
from collections.abc import Callable
from typing import Any

from absl import flags

from data_pipelines.dicom_photographs import LEAST_MM, MOST_MM
from data_pipelines.load.stores import Store
from experiments.config import EyeRunConfig
from experiments.locator import check_locator
from experiments.program import MODES, Program, Task
from experiments.reading import checked_store, make_default_phantom, problems_of
from experiments.run_eval import run_eval
from experiments.run_import import imo_run, run_import, segmenter_run
from experiments.run_predict import run_predict
from experiments.run_train import run_stages
from experiments.runtime import UserError
from experiments.saved_run import TrainedRun, restore_run
from experiments.squares import evaluation_store
from imo_jax.metrics.disc_measures import NAMES_BY_SIDE

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines what only programs on eyes are told."""
    flags.DEFINE_string(
        "fundus", None, "photograph to predict, a folder or 'a/pattern*' (--mode=predict)"
    )
    flags.DEFINE_string(
        "oct", None, "OCT volume of --fundus, or the folder of its volumes; may be missing"
    )
    flags.DEFINE_float(
        "mm_per_pixel", None, "side of a photograph's pixel on the retina, for areas in mm^2 "
        "(--mode=predict); default: the manifest's column, or what a DICOM file says",
        LEAST_MM, MOST_MM,
    )  # fmt: skip
    flags.DEFINE_enum(
        "eye", None, list(NAMES_BY_SIDE), "side of all photographs, right OD or left OS "
        "(--mode=predict); default: the manifest's column, or what a DICOM file says",
    )  # fmt: skip
    flags.DEFINE_boolean(
        "dicom", False, "also write a DICOM segmentation and report of DICOM photographs "
        "(--mode=predict); needs the extra '.[dicom]'",
    )  # fmt: skip
    flags.DEFINE_boolean(
        "dicom_identities", False, "copy patient and study into them; else they name nobody"
    )
    flags.DEFINE_string("weights", None, "weights of others, to be made a run (--mode=import)")


def train(config: EyeRunConfig, workdir: str, store: Store) -> tuple[int, Store]:
    """Trains; the exit code, and the store to evaluate on."""
    result, seen = run_stages(config, workdir, store)
    return result.exit_code, seen


def predict(run: TrainedRun, given: dict[str, Any]) -> int:
    """Predicts what the flags name; the exit code."""
    done = run_predict(
        run,
        fundus=FLAGS.fundus,
        volume=FLAGS.oct,
        manifest=given.get("manifest"),
        out=FLAGS.out,
        mm_per_pixel=FLAGS.mm_per_pixel,
        eye=FLAGS.eye,
        dicom=FLAGS.dicom,
        dicom_identities=FLAGS.dicom_identities,
    )
    return done.exit_code


def import_weights(read: Callable[..., tuple[Any, dict]], start: str, program: Program) -> int:
    """The weights of others become a run.

    Args:
      read: (settings to start from, those given, file) -> settings and variables of the run.
      start: the preset without --preset.
      program: that was asked.
    """
    if FLAGS.weights is None:
        raise UserError("--mode=import needs --weights=FILE (.pth, .safetensors or .npz)")
    preset = FLAGS.preset if FLAGS["preset"].present else start
    given = program.settings.given()
    config, variables = read(program.settings.presets[preset](), given, FLAGS.weights)
    run_import(config, variables, FLAGS.weights, FLAGS.workdir)
    return 0


def no_import(program: Program) -> int:
    raise UserError(
        "--mode=import is for IMO and the segmenters: python -m experiments.imo or "
        "experiments.segmenter"
    )


EYES = Task(
    define_flags=define_flags,
    only_in={
        **dict.fromkeys(
            ("fundus", "oct", "mm_per_pixel", "eye", "dicom", "dicom_identities"), "predict"
        ),
        "weights": "import",
    },
    make_default_phantom=make_default_phantom,
    problems=problems_of,
    refuse=check_locator,
    store=checked_store,
    train=train,
    restore=restore_run,
    seen=evaluation_store,
    evaluate=run_eval,
    predict=predict,
)
IMO_MODES = {**MODES, "import": functools.partial(import_weights, imo_run, "released")}
SEGMENTER_MODES = {**MODES, "import": functools.partial(import_weights, segmenter_run, "default")}
GRADER_MODES = {**MODES, "import": no_import}
