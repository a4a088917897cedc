"""The settings that a program offers: from a preset, a size, and what the user names."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from absl import flags

from experiments import flag_fields
from experiments.runtime import UserError, say
from imo_jax.settings.fields import replace_leaves

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True)
class ProgramSettings:
    """What defines a run of a program.

    Attributes:
      config_class: its settings.
      presets: name -> settings to start from; the first is the default.
      workdir: default folder of the run.
      sizes: name -> settings of the architecture that --size stands for; {} = no such flag, since
        the network's own settings name its size.
    """

    config_class: type
    presets: Mapping[str, Callable[[], Any]]
    workdir: str
    sizes: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def default(self) -> Any:
        """The settings of the program without any flag."""
        return next(iter(self.presets.values()))()

    def define_flags(self, values: flags.FlagValues = flags.FLAGS) -> None:
        """Defines the flags from which `configured` makes settings, and that of the folder."""
        names = list(self.presets)
        flags.DEFINE_enum("preset", names[0], names, "settings to start from", flag_values=values)
        if self.sizes:
            flags.DEFINE_enum(
                "size", None, list(self.sizes), "size of the network; default: the preset's",
                flag_values=values,
            )  # fmt: skip
        flags.DEFINE_string(
            "workdir", self.workdir, "folder of the run: all that it writes, all it needs",
            flag_values=values,
        )  # fmt: skip
        flag_fields.define_flags(self.config_class, values)

    def given(self, values: flags.FlagValues = flags.FLAGS) -> dict[str, Any]:
        """Name -> value of the settings that the user names."""
        return flag_fields.given_flags(self.config_class, values)

    def configured(self, values: flags.FlagValues = flags.FLAGS) -> Any:
        """The settings that parsed flags stand for.

        Raises:
          UserError: listing every bad value.
        """
        size = values["size"].value if self.sizes else None
        of_size = {} if size is None else self.sizes[size]
        return configured(self.presets[values["preset"].value](), of_size, self.given(values))


def configured(preset: Config, of_size: Mapping[str, Any], given: Mapping[str, Any]) -> Config:
    """A preset with the settings that a size decides, and then those that the user names.

    Args:
      preset: settings to start from.
      of_size: name -> value of the architecture that --size stands for; {} = the preset's own.
      given: name -> value of the settings that the user names.

    Raises:
      UserError: listing every bad value.
    """
    try:
        named = {**of_size, **given, **preset.implied(given)}
        return _with_short_warmup(replace_leaves(preset, named).completed())
    except ValueError as error:
        raise UserError(str(error)) from error


def _with_short_warmup(config: Config) -> Config:
    """A warm-up that is longer than the run becomes a tenth of it."""
    steps, warmup = config.loop.train_steps, config.optimiser.warmup_steps
    if warmup <= steps:
        return config
    say(f"the run is shorter than its warm-up of {warmup} steps: it warms up in {steps // 10}")
    optimiser = dataclasses.replace(config.optimiser, warmup_steps=steps // 10)
    return dataclasses.replace(config, optimiser=optimiser)
