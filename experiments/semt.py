"""SEMT: glaucoma screening from OCT volumes, with surrogate visual fields, and its four rivals.

python -m experiments.semt                                  # phantom: both stages, evaluate, draw
python -m experiments.semt --flagfile=experiments/flagfiles/semt/all_mt.flags --manifest=...
python -m experiments.semt --mode=table --seeds=3           # the paper's Table 1, all seven rows
python -m experiments.semt --mode=predict --workdir=runs/semt --oct=eye.npy
"""

from experiments.runtime import set_up  # first: it quiets the next imports

from absl import app, flags  # isort: skip

from data_pipelines.load.screening_stores import ScreeningStore
from experiments import flag_fields, hosts
from experiments.configured import configured as settings_of
from experiments.program_end import exit_code, leave, parsed_flags
from experiments.program_help import answer_help
from experiments.run_export import run_export
from experiments.saved_run import restore_screening
from experiments.screening.alpha import GRID, run_select_alpha
from experiments.screening.config import ScreeningConfig
from experiments.screening.methods import METHODS
from experiments.screening.presets import PRESETS
from experiments.screening.reading import checked_store, make_default_phantom
from experiments.screening.run_check import run_check
from experiments.screening.run_eval import run_eval
from experiments.screening.run_predict import run_predict
from experiments.screening.run_train import run_surrogate, run_train
from experiments.screening.table import run_table
from imo_jax.export.bundle import FORMATS
from imo_jax.models.semt.config import SIZE_SETTINGS
from imo_jax.predictor.volumes import SIDES
from imo_jax.train import processes

FLAGS = flags.FLAGS

MODES = ("train", "surrogate", "eval", "predict", "export", "check", "select_alpha", "table")
flags.DEFINE_enum("mode", None, MODES, "what to do; without it: train, evaluate and draw")
flags.DEFINE_enum("preset", "default", list(PRESETS), "settings to start from")
flags.DEFINE_enum("size", None, list(SIZE_SETTINGS), "size of the network; default: the preset's")
flags.DEFINE_string("workdir", "runs/semt", "folder of the run: all that it writes, all it needs")
flags.DEFINE_string(
    "out", None, "folder for evaluation, predictions or export; default: in --workdir"
)
flags.DEFINE_enum(
    "checkpoint", "best", ["best", "last"], "which one to evaluate, predict with or export"
)
flags.DEFINE_string("oct", None, "volume to predict, a folder or 'a/pattern*' (--mode=predict)")
flags.DEFINE_enum("eye", None, SIDES, "side of the eye of --oct: right OD, left OS")
flags.DEFINE_enum("format", "stablehlo", list(FORMATS), "of the files (--mode=export)")
flags.DEFINE_integer("seeds", 3, "runs of each row (--mode=table)", lower_bound=1)
flags.DEFINE_list("rows", None, "rows of the table; default: all (--mode=table)")
flags.DEFINE_list("alphas", [str(a) for a in GRID], "loss weights tried (--mode=select_alpha)")
flag_fields.define_flags(ScreeningConfig)


def configured() -> ScreeningConfig:
    """The preset, with the size and the settings given as flags."""
    preset = PRESETS[FLAGS.preset]()
    given = flag_fields.given_flags(ScreeningConfig)
    of_size = {} if FLAGS.size is None else SIZE_SETTINGS[FLAGS.size]
    method = METHODS[given.get("method", preset.method)]
    return settings_of(preset, of_size, {**given, "network": method.network})


def opened(need: tuple[str, ...]) -> tuple[ScreeningConfig, ScreeningStore]:
    """The settings of a run that is to be trained, and its volumes."""

    def prepared(config: ScreeningConfig) -> ScreeningStore:
        make_default_phantom(config.data.manifest)
        return checked_store(config, need)

    return hosts.opened(FLAGS.workdir, configured, prepared)


def trained(config: ScreeningConfig, store: ScreeningStore) -> int:
    """Trains; the exit code. After it each process is on its own."""
    exit_code = run_train(config, FLAGS.workdir, store).exit_code
    processes.leave()
    return exit_code


def train() -> int:
    return trained(*opened(("train",)))


def surrogate() -> int:
    config, store = opened(("train",))
    exit_code = run_surrogate(config, FLAGS.workdir, store)
    processes.leave()
    return exit_code


def evaluate() -> int:
    given = flag_fields.given_flags(ScreeningConfig)
    run = restore_screening(FLAGS.workdir, given, FLAGS.checkpoint)
    run_eval(run, FLAGS.out, checked_store(run.config, ("eval",)))
    return 0


def train_and_evaluate() -> int:
    config, store = opened(("train", "eval"))
    exit_code = trained(config, store)
    if exit_code or not processes.is_first():
        return exit_code
    given = flag_fields.given_flags(ScreeningConfig)
    run_eval(restore_screening(FLAGS.workdir, given, FLAGS.checkpoint), FLAGS.out, store)
    return 0


def predict() -> int:
    given = flag_fields.given_flags(ScreeningConfig)
    run = restore_screening(FLAGS.workdir, given, FLAGS.checkpoint)
    manifest = given.get("manifest")
    done = run_predict(run, volume=FLAGS.oct, eye=FLAGS.eye, manifest=manifest, out=FLAGS.out)
    return done.exit_code


def export() -> int:
    run = restore_screening(
        FLAGS.workdir, flag_fields.given_flags(ScreeningConfig), FLAGS.checkpoint
    )
    run_export(
        run.predictor(), format=FLAGS.format, out=run.folder.export(FLAGS.format, FLAGS.out)
    )
    return 0


def check() -> int:
    config = configured()
    make_default_phantom(config.data.manifest)
    return run_check(config)


def select_alpha() -> int:
    config = configured()
    make_default_phantom(config.data.manifest)
    return run_select_alpha(config, FLAGS.workdir, [float(alpha) for alpha in FLAGS.alphas])


def table() -> int:
    config = configured()
    make_default_phantom(config.data.manifest)
    return run_table(config, FLAGS.workdir, FLAGS.seeds, FLAGS.rows)


PROGRAMS = {
    None: train_and_evaluate,
    "train": train,
    "surrogate": surrogate,
    "eval": evaluate,
    "predict": predict,
    "export": export,
    "check": check,
    "select_alpha": select_alpha,
    "table": table,
}


def main() -> int:
    set_up()
    hosts.join_others(FLAGS.mode, (None, "train", "surrogate"))
    return PROGRAMS[FLAGS.mode]()


def run() -> None:
    """Parses the command line, does what it says and exits."""
    answer_help(__doc__, next(iter(PRESETS.values()))())
    app.run(lambda _: leave(exit_code(main)), flags_parser=parsed_flags)


if __name__ == "__main__":
    run()
