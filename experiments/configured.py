"""The settings of a run from a preset, a size, and what the user names; the same in all programs."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from experiments.runtime import UserError, say
from imo_jax.settings.fields import replace_leaves

Config = TypeVar("Config")


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
        return _with_short_warmup(replace_leaves(preset, {**of_size, **given}).completed())
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
