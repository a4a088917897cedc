"""Settings by name: a (nested) frozen dataclass whose leaf fields have names of their own.

What a setting may be is said where it is defined, in its field's metadata:

  help                      what it does, for people
  choices                   the words it may be
  above, at_least,          bounds of a number, or of each number of a tuple
  below, at_most
  older                     the value that runs had from before there was this setting, where that is
                            not its default
  changes                   of CONTINUE and EVALUATE: when it may differ from what a run was trained
                            with
  flag                      False: no flag of its own, another setting decides it
"""

import dataclasses
import math
import operator
import types
import typing
from collections.abc import Iterator
from typing import Any

# When a setting may differ from that of a run: when the run goes on, since it moves nothing that is
# learned; when it is evaluated or predicted with.
CONTINUE = "continue"
EVALUATE = "evaluate"
ALWAYS = (CONTINUE, EVALUATE)

_BOUNDS = {
    "above": (operator.gt, "more than"),
    "at_least": (operator.ge, "at least"),
    "below": (operator.lt, "less than"),
    "at_most": (operator.le, "at most"),
}
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def setting(default: Any, help: str, **metadata: Any) -> Any:
    """A field of a configuration dataclass, with what is said of it (see above)."""
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


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


def leaves(config: Any) -> dict[str, Any]:
    """Name -> value of every leaf."""
    return {path[-1]: _get(config, path) for path, _, _ in leaf_fields(type(config))}


def replace_leaves(config: Any, values: dict[str, Any]) -> Any:
    """`config` with the named leaves replaced, at whatever depth they are.

    Raises ValueError for a name that is no leaf, and with all that the dataclasses' own checks find.
    """
    known = {field.name for _, field, _ in leaf_fields(type(config))}
    if unknown := set(values) - known:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    return _replace(config, values)


def _replace(config: Any, values: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(type(config))
    changed, problems = {}, []
    for field in dataclasses.fields(config):
        current = getattr(config, field.name)
        try:
            if dataclasses.is_dataclass(current):
                changed[field.name] = _replace(current, values)
            elif field.name in values:
                changed[field.name] = coerced(field.name, values[field.name], hints[field.name])
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return dataclasses.replace(config, **changed)


def differences(old: Any, new: Any, ignore: frozenset[str] = frozenset()) -> list[str]:
    """Lines 'name: old -> new' for the leaves in which two configurations differ."""
    lines = []
    for path, field, _ in leaf_fields(type(old)):
        before, after = _get(old, path), _get(new, path)
        if field.name not in ignore and before != after:
            lines.append(f"{field.name}: {before!r} -> {after!r}")
    return lines


def changeable(config_class: type, when: str) -> frozenset[str]:
    """Names of the settings that may change, see the metadata `changes`."""
    return frozenset(
        field.name
        for _, field, _ in leaf_fields(config_class)
        if when in field.metadata.get("changes", ())
    )


def problems(config: Any) -> list[str]:
    """Everything that the fields' metadata forbid of the values of a configuration, in words."""
    found = []
    for path, field, hint in leaf_fields(type(config)):
        value = _get(config, path)
        try:
            coerced(field.name, value, hint)
        except ValueError as error:
            found.append(str(error))
            continue
        choices = field.metadata.get("choices")
        if choices and value is not None and value not in choices:
            listed = ", ".join(map(str, choices))
            found.append(f"{field.name}={value!r} is none of {listed}")
        for number in value if isinstance(value, tuple) else (value,):
            found += _number_problems(field, number)
    return found


def _number_problems(field: dataclasses.Field, value: Any) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    if not math.isfinite(value):
        return [f"{field.name}={value} must be finite"]
    return [
        f"{field.name}={value} must be {words} {field.metadata[name]}"
        for name, (holds, words) in _BOUNDS.items()
        if name in field.metadata and not holds(value, field.metadata[name])
    ]


def coerced(name: str, value: Any, hint: Any) -> Any:
    """A value of a setting as its type: JSON's lists and flags' words become tuples.

    Raises:
      ValueError: it is of another type.
    """
    kind = strip_optional(hint)
    if value is None and kind is not hint:
        return None
    if typing.get_origin(kind) is typing.Literal:
        return value
    if typing.get_origin(kind) is tuple:
        element = typing.get_args(kind)[0]
        if not isinstance(value, list | tuple):
            raise ValueError(f"{name} is {value!r}, want a list of {_KINDS[element]}s")
        return tuple(_element(name, item, element) for item in value)
    fits = {bool: bool, int: int, float: int | float, str: str}.get(kind, object)
    if not isinstance(value, fits) or (isinstance(value, bool) and kind in (int, float)):
        raise ValueError(f"{name} is {value!r}, want {_KINDS[kind]}")
    return value


def _element(name: str, item: Any, element: type) -> Any:
    try:
        return element(item)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {item!r} is not {_KINDS[element]}") from error


def strip_optional(hint: Any) -> Any:
    """`kind` of `kind | None`."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint


def _get(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config
