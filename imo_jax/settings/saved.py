"""Settings as JSON: what a run's config.json says, and how runs of earlier versions are read."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from imo_jax.settings.fields import coerced

# Version of what config.json holds. 1: settings alone. 2: `kind` and `form` before them. 3: as 2, of
# runs whose examples are augmented on the device.
FORM = 3
# The first form of runs that draw what this version draws from the same seed.
SAME_DRAWS = 3

# Kind of network -> the program that trains it.
PROGRAMS = {
    "imo": "experiments.imo",
    "segmenter": "experiments.segmenter",
    "grader": "experiments.grader",
    "semt": "experiments.semt",
}


def to_json(config: Any, kind: str) -> dict[str, Any]:
    """What config.json holds of a run: kind of network, form, nested settings of JSON's types."""
    return {"kind": kind, "form": FORM, **dataclasses.asdict(config)}


def kind_of(values: Mapping[str, Any]) -> str:
    """The kind of network, a key of PROGRAMS, of a run from what its config.json holds.

    Raises:
      ValueError: it is no run of this project, or one of a later version.
    """
    form = values.get("form", 1)
    if not isinstance(form, int) or form > FORM:
        raise ValueError(
            f"its form is {form!r}, this version reads forms up to {FORM}: it was written by a "
            "later version of the program"
        )
    kind = values.get("kind") or _kind_of_first_form(values)
    if kind not in PROGRAMS:
        raise ValueError(f"no settings of a run of {', '.join(PROGRAMS.values())}")
    return kind


def _kind_of_first_form(values: Mapping[str, Any]) -> str | None:
    """Runs of form 1 are told by their settings."""
    model = values.get("model")
    if not isinstance(model, Mapping):
        return None
    if "method" in values:
        return "semt"
    if "backbone_depths" in model:
        return "imo"
    if "segmentation_weight" in (values.get("objective") or {}):
        return "segmenter"
    return "grader" if "network" in model else None


def from_json(config_class: type, values: Mapping[str, Any], kind: str) -> Any:
    """The configuration of a run from what its config.json holds.

    Raises:
      ValueError: a run of another program (named), or as from_dict.
    """
    if (found := kind_of(values)) != kind:
        raise ValueError(f"holds a run of {PROGRAMS[found]}, not of {PROGRAMS[kind]}")
    settings = {name: value for name, value in values.items() if name not in ("kind", "form")}
    return from_dict(config_class, settings)


def from_dict(config_class: type, values: Mapping[str, Any]) -> Any:
    """A configuration from nested plain dicts, as `dataclasses.asdict` gives them.

    A setting that is not there came later: it takes the value that runs had before (metadata
    `older`, see settings.fields), or else its default.

    Raises:
      ValueError: naming all settings that are unknown or of another type, or what the dataclasses'
        own checks find.
    """
    problems: list[str] = []
    config = _from_dict(config_class, values, problems)
    if problems:
        raise ValueError("; ".join(problems))
    return config


def _from_dict(config_class: type, values: Any, problems: list[str]) -> Any:
    if not isinstance(values, Mapping):
        problems.append(f"{config_class.__name__} is {values!r}, want settings by name")
        return None
    hints = typing.get_type_hints(config_class)
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    if unknown := sorted(set(values) - set(fields)):
        problems.append(f"unknown settings: {', '.join(unknown)} (of a later version?)")
    found, before = {}, len(problems)
    for name, field in fields.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            found[name] = _from_dict(hint, values.get(name, {}), problems)
        elif name in values:
            try:
                found[name] = coerced(name, values[name], hint)
            except ValueError as error:
                problems.append(str(error))
        elif "older" in field.metadata:
            found[name] = field.metadata["older"]
        elif field.default is dataclasses.MISSING:
            problems.append(f"missing setting: {name}")
    if len(problems) > before:
        return None
    try:
        return config_class(**found)
    except ValueError as error:
        problems.append(str(error))
        return None
