"""The command line of the programs on eyes: flags from their settings, and what each mode does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from absl import app, flags

from data_pipelines.dicom_photographs import LEAST_MM, MOST_MM
from data_pipelines.load.stores import Store
from experiments import flag_fields, hosts
from experiments.config import EyeRunConfig
from experiments.configured import configured
from experiments.locator import check_locator
from experiments.program_end import exit_code, leave, parsed_flags
from experiments.program_help import answer_help
from experiments.reading import checked_store, make_default_phantom
from experiments.run_check import run_check
from experiments.run_eval import run_eval
from experiments.run_export import run_export
from experiments.run_import import run_import
from experiments.run_predict import run_predict
from experiments.runtime import UserError, set_up
from experiments.saved_run import TrainedRun, restore_run
from experiments.squares import evaluation_store, run_stages
from experiments.training import check_weights
from imo_jax.export.bundle import FORMATS
from imo_jax.metrics.disc_measures import NAMES_BY_SIDE
from imo_jax.train import processes

MODES = ("train", "eval", "predict", "export", "check", "import")


@dataclass(frozen=True)
class EyeProgram:
    """A program that trains one kind of network on eyes.

    Attributes:
      about: what it is, and examples, for --help.
      config_class: its settings.
      presets: name -> settings to start from; the first is the default.
      workdir: default folder of the run.
      sizes: name -> settings of the architecture that --size stands for; {} = no such flag, since
        the network's own settings name its size.
    """

    about: str
    config_class: type[EyeRunConfig]
    presets: Mapping[str, Callable[[], EyeRunConfig]]
    workdir: str
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def run(self) -> None:
        """Parses the command line, does what it says and exits."""
        self._define_flags()
        answer_help(self.about, next(iter(self.presets.values()))())
        app.run(lambda _: leave(exit_code(self._main)), flags_parser=parsed_flags)

    def _define_flags(self) -> None:
        first = next(iter(self.presets))
        flags.DEFINE_enum("mode", None, MODES, "what to do; without it: train, evaluate and draw")
        flags.DEFINE_enum("preset", first, list(self.presets), "settings to start from")
        if self.sizes:
            flags.DEFINE_enum(
                "size", None, list(self.sizes), "size of the network; default: the preset's"
            )
        flags.DEFINE_string(
            "workdir", self.workdir, "folder of the run: all that it writes, all it needs"
        )
        flags.DEFINE_string(
            "out", None, "folder for evaluation, predictions or export; default: in --workdir"
        )
        flags.DEFINE_enum(
            "checkpoint", "best", ["best", "last"], "which one to evaluate, predict with or export"
        )
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
        flags.DEFINE_enum("format", "stablehlo", list(FORMATS), "of the files (--mode=export)")
        flags.DEFINE_boolean(
            "dicom", False, "also write a DICOM segmentation and report of DICOM photographs "
            "(--mode=predict); needs the extra '.[dicom]'",
        )  # fmt: skip
        flags.DEFINE_boolean(
            "dicom_identities", False, "copy patient and study into them; else they name nobody"
        )
        flags.DEFINE_string(
            "weights", None, "the authors' weights, to be made a run (--mode=import)"
        )
        flag_fields.define_flags(self.config_class)

    def _main(self) -> int:
        set_up()
        modes = {None: self.train_and_evaluate}
        modes |= {name: getattr(self, name) for name in MODES if name != "import"}
        modes["import"] = self.import_weights
        mode = flags.FLAGS.mode
        hosts.join_others(mode, (None, "train"))
        return modes[mode]()

    def train(self) -> int:
        return self._trained(*self._opened(("train",)))[0]

    def eval(self) -> int:
        run = self._restored()
        whole = checked_store(run.config, ("eval",))
        run_eval(run, flags.FLAGS.out, evaluation_store(run, whole))
        return 0

    def train_and_evaluate(self) -> int:
        config, store = self._opened(("train", "eval"))
        exit_code, seen = self._trained(config, store)
        if exit_code or not processes.is_first():
            return exit_code
        run_eval(self._restored(), flags.FLAGS.out, seen)
        return 0

    def predict(self) -> int:
        done = run_predict(
            self._restored(),
            fundus=flags.FLAGS.fundus,
            volume=flags.FLAGS.oct,
            manifest=self._given().get("manifest"),
            out=flags.FLAGS.out,
            mm_per_pixel=flags.FLAGS.mm_per_pixel,
            eye=flags.FLAGS.eye,
            dicom=flags.FLAGS.dicom,
            dicom_identities=flags.FLAGS.dicom_identities,
        )
        return done.exit_code

    def export(self) -> int:
        run = self._restored()
        format = flags.FLAGS.format
        run_export(run.predictor(), format=format, out=run.folder.export(format, flags.FLAGS.out))
        return 0

    def check(self) -> int:
        config = self._configured()
        make_default_phantom(config.data.manifest)
        return run_check(config)

    def import_weights(self) -> int:
        """The authors' weights become a run; without --preset with the released settings."""
        if "released" not in self.presets:
            raise UserError("--mode=import is for IMO: python -m experiments.imo")
        if flags.FLAGS.weights is None:
            raise UserError("--mode=import needs --weights=FILE (.pth, .safetensors or .npz)")
        preset = flags.FLAGS.preset if flags.FLAGS["preset"].present else "released"
        run_import(
            self.presets[preset](), self._given(), flags.FLAGS.weights, flags.FLAGS.workdir
        )
        return 0

    def _given(self) -> dict[str, Any]:
        return flag_fields.given_flags(self.config_class)

    def _restored(self) -> TrainedRun:
        return restore_run(
            flags.FLAGS.workdir, self._given(), flags.FLAGS.checkpoint, self.config_class
        )

    def _opened(self, need: tuple[str, ...]) -> tuple[EyeRunConfig, Store]:
        """The settings of a run that is to be trained, and its eyes."""

        def prepared(config: EyeRunConfig) -> Store:
            check_weights(config.pretrained)
            check_locator(config, flags.FLAGS.workdir)
            make_default_phantom(config.data.manifest)
            return checked_store(config, need)

        return hosts.opened(flags.FLAGS.workdir, self._configured, prepared)

    def _trained(self, config: EyeRunConfig, store: Store) -> tuple[int, Store]:
        """Trains; the exit code, and the store to evaluate on. Then each process is on its own."""
        result, seen = run_stages(config, flags.FLAGS.workdir, store)
        processes.leave()
        return result.exit_code, seen

    def _configured(self) -> EyeRunConfig:
        """The preset, with the size and the settings given as flags."""
        return self.configured(flags.FLAGS, self._given())

    def configured(self, values: flags.FlagValues, given: Mapping[str, Any]) -> EyeRunConfig:
        """The settings that parsed flags stand for; `given` are those of the settings' own flags.

        Raises:
          UserError: listing every bad value.
        """
        size = values["size"].value if self.sizes else None
        of_size = {} if size is None else self.sizes[size]
        return configured(self.presets[values["preset"].value](), of_size, given)
