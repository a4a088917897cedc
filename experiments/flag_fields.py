"""Flags derived from frozen dataclasses: a setting is defined once, in the room that uses it.

Every leaf field of a (nested) configuration dataclass becomes one flag of the same name. A flag
that is not given keeps the value of the preset, so flags have no defaults of their own.
"""

import dataclasses
import inspect
import re
import typing
from typing import Any

from absl import flags

from imo_jax.settings.fields import leaf_fields, strip_optional


def described(config_class: type) -> dict[str, str]:
    """Attribute -> description, from the "Attributes:" section of a docstring."""
    section = (inspect.getdoc(config_class) or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if entry := re.match(r"  ([a-z_0-9, ]+): (.*)", line):
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        elif line.startswith("    "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        else:
            break
    return found


def _help(config_class: type) -> dict[str, str]:
    """Leaf -> help text: the field's metadata, or else what its class's docstring says of it."""
    hints = typing.get_type_hints(config_class)
    texts = described(config_class)
    for field in dataclasses.fields(config_class):
        if dataclasses.is_dataclass(hints[field.name]):
            texts |= _help(hints[field.name])
        elif "help" in field.metadata:
            texts[field.name] = field.metadata["help"]
    return texts


def define_flags(config_class: type, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag, default None, for each leaf field of `config_class`.

    A field whose metadata say `"flag": False` gets none: another setting decides it.
    """
    texts = _help(config_class)
    for _, field, hint in leaf_fields(config_class):
        if not has_flag(field):
            continue
        text = texts.get(field.name, "")
        kind = strip_optional(hint)
        choices = field.metadata.get("choices") or _literal_choices(kind)
        if choices:
            flags.DEFINE_enum(field.name, None, list(choices), text, flag_values=flag_values)
        elif kind is bool:
            flags.DEFINE_boolean(field.name, None, text, flag_values=flag_values)
        elif kind is int:
            flags.DEFINE_integer(field.name, None, text, flag_values=flag_values)
        elif kind is float:
            flags.DEFINE_float(field.name, None, text, flag_values=flag_values)
        elif kind is str:
            flags.DEFINE_string(field.name, None, text, flag_values=flag_values)
        elif typing.get_origin(kind) is tuple:
            flags.DEFINE_list(
                field.name, None, text + " (comma separated)", flag_values=flag_values
            )
        else:
            raise TypeError(f"no flag for setting {field.name!r} of type {hint}")


def has_flag(field: dataclasses.Field) -> bool:
    """Whether a setting can be given on the command line."""
    return field.metadata.get("flag", True)


def given_flags(config_class: type, flag_values: flags.FlagValues = flags.FLAGS) -> dict[str, Any]:
    """Name -> value of the settings that were given on the command line or in a flagfile."""
    return {
        field.name: flag_values[field.name].value
        for _, field, _ in leaf_fields(config_class)
        if has_flag(field) and flag_values[field.name].value is not None
    }


def _literal_choices(kind: Any) -> tuple[str, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
