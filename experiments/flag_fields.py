"""Flags derived from frozen dataclasses: a setting is defined once, in the room that uses it.

Every leaf field of a (nested) configuration dataclass becomes one flag of the same name. A flag
that is not given keeps the value of the preset, so flags have no defaults of their own.
"""

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from absl import flags


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


def leaf_fields(config_class: type) -> Iterator[tuple[tuple[str, ...], dataclasses.Field, Any]]:
    """Yields (path, field, type) of every leaf of a nested dataclass, depth first.

    Raises ValueError where two leaves share a name: they would be the same flag.
    """
    seen: dict[str, tuple[str, ...]] = {}
    for path, field, hint in _walk(config_class, ()):
        if field.name in seen:
            raise ValueError(
                f"two settings are named {field.name!r}: {seen[field.name]} and {path}"
            )
        seen[field.name] = path
        yield path, field, hint


def _walk(config_class: type, prefix: tuple[str, ...]):
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        path = (*prefix, field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _walk(hints[field.name], path)
        else:
            yield path, field, hints[field.name]


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
        kind = _strip_optional(hint)
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


def show_in_help(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Makes --help list the flags that the rooms of experiments/ define, not only the program's."""
    for module, defined in flag_values.flags_by_module_dict().items():
        if module.startswith("experiments."):
            for flag in defined:
                flag_values.register_key_flag_for_module(sys.argv[0], flag)


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


def replace_leaves(config: Any, values: dict[str, Any]) -> Any:
    """`config` with the named leaves replaced, at whatever depth they are.

    Raises ValueError for a name that is no leaf, and whatever the dataclasses' own checks raise.
    """
    known = {field.name for _, field, _ in leaf_fields(type(config))}
    if unknown := set(values) - known:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    return _replace(config, values)


def _replace(config: Any, values: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(type(config))
    changed = {}
    for field in dataclasses.fields(config):
        current = getattr(config, field.name)
        if dataclasses.is_dataclass(current):
            changed[field.name] = _replace(current, values)
        elif field.name in values:
            changed[field.name] = _coerce(values[field.name], hints[field.name])
    return dataclasses.replace(config, **changed)


def leaves(config: Any) -> dict[str, Any]:
    """Name -> value of every leaf."""
    return {path[-1]: _get(config, path) for path, _, _ in leaf_fields(type(config))}


def to_dict(config: Any) -> dict[str, Any]:
    """Nested plain dict (JSON types) of a configuration; inverse of `from_dict`."""
    return dataclasses.asdict(config)


def from_dict(config_class: type, values: dict[str, Any]) -> Any:
    """Configuration from `to_dict`'s result, also after a round trip through JSON.

    Raises ValueError naming the fields that are unknown or missing: a run written by another
    version is refused, not half understood.
    """
    hints = typing.get_type_hints(config_class)
    names = {field.name for field in dataclasses.fields(config_class)}
    if names != set(values):
        raise ValueError(
            f"{config_class.__name__}: unknown settings {sorted(set(values) - names)}, "
            f"missing settings {sorted(names - set(values))}; was this run written by another "
            "version of the program?"
        )
    return config_class(
        **{
            name: from_dict(hints[name], value)
            if dataclasses.is_dataclass(hints[name])
            else _coerce(value, hints[name])
            for name, value in values.items()
        }
    )


def differences(old: Any, new: Any, ignore: frozenset[str] = frozenset()) -> list[str]:
    """Lines 'name: old -> new' for the leaves in which two configurations differ."""
    lines = []
    for path, field, _ in leaf_fields(type(old)):
        before, after = _get(old, path), _get(new, path)
        if field.name not in ignore and before != after:
            lines.append(f"{field.name}: {before!r} -> {after!r}")
    return lines


def _get(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config


def _strip_optional(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint


def _literal_choices(kind: Any) -> tuple[str, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()


def _coerce(value: Any, hint: Any) -> Any:
    """JSON lists and comma-separated flags become tuples of the declared element type."""
    kind = _strip_optional(hint)
    if value is not None and typing.get_origin(kind) is tuple:
        element = typing.get_args(kind)[0]
        return tuple(element(item) for item in value)
    return value
