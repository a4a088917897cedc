"""What --help says: what is asked for most, on one screen; --helpfull: every setting, in groups."""

import inspect
import shutil
import sys
import textwrap
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from absl import flags

from experiments.flag_fields import has_flag
from imo_jax.settings.fields import leaf_fields, leaves

SHORT_HELP = ("--help", "-help", "-h", "-?", "--helpshort", "-helpshort")
FULL_HELP = ("--helpfull", "-helpfull")

# Title -> flags asked for most, as far as a program has them.
FIRST: dict[str, tuple[str, ...]] = {
    "What to do": ("mode", "workdir", "manifest", "preset", "size", "network", "method", "out"),
    "Training": (
        "train_steps", "batch_size", "learning_rate", "image_size", "scan_size", "encoder",
        "pretrained", "region", "seed", "seeds",
    ),
    "Prediction": (
        "fundus", "oct", "eye", "checkpoint", "mm_per_pixel", "dicom", "dicom_identities",
        "eval_samples", "mirror",
    ),
}  # fmt: skip
OF_THE_PROGRAM, OF_THE_RUN = "program", "run"  # groups beside those of the settings' parts
FLAGFILE = "  --flagfile=FILE: flags from a file, one a line; those given after it win"
EXIT_CODES = (
    "Exit codes: 0 done, 1 --mode=check found errors or some of many files could not be predicted, "
    "2 something given cannot be used, 130 Ctrl-C, 143 SIGTERM during a training."
)
COLUMNS = 100  # of the text at most


def wanted_help(arguments: Sequence[str]) -> bool | None:
    """Whether all help is asked for (True), the short one (False), or none (None)."""
    if any(argument in FULL_HELP for argument in arguments):
        return True
    return False if any(argument in SHORT_HELP for argument in arguments) else None


def answer_help(about: str, preset: Any, values: flags.FlagValues = flags.FLAGS) -> None:
    """Where the command line asks for help, writes it to stdout and exits with 0.

    Args:
      about: what the program is, and examples; its module's docstring.
      preset: the settings (a nested dataclass) that the program starts from.
      values: of the flags.
    """
    full = wanted_help(sys.argv[1:])
    if full is None:
        return
    print(help_text(about, preset, values, full=full))
    sys.exit(0)


def help_text(about: str, preset: Any, values: flags.FlagValues, *, full: bool) -> str:
    """The help; arguments as `answer_help`."""
    groups = all_groups(type(preset), values) if full else first_groups(values)
    defaults = leaves(preset)
    lines = [about.strip(), ""]
    for number, (title, names) in enumerate(groups.items()):
        head = f"{title}{_said_of(type(preset), title)}:" if full else f"{title}:"
        lines += [head, *(_entry(values[name], defaults) for name in names)]
        lines += [""] if number else [FLAGFILE, ""]
    if not full:
        more = all_groups(type(preset), values).items()
        said = ", ".join(f"{title} ({len(names)})" for title, names in more)
        lines += [_wrapped(f"--helpfull lists every flag: {said}.", ""), ""]
    return "\n".join([*lines, _wrapped(EXIT_CODES, "")])


def first_groups(values: flags.FlagValues) -> dict[str, list[str]]:
    """Title -> the flags of FIRST that the program has."""
    groups = {title: [name for name in names if name in values] for title, names in FIRST.items()}
    return {title: names for title, names in groups.items() if names}


def all_groups(config_class: type, values: flags.FlagValues) -> dict[str, list[str]]:
    """Title -> every flag that the program defines: its own, then those of each part's settings."""
    settings: dict[str, list[str]] = {}
    for path, field, _ in leaf_fields(config_class):
        if has_flag(field):
            title = path[0] if len(path) > 1 else OF_THE_RUN
            settings.setdefault(title, []).append(field.name)
    known = {name for names in settings.values() for name in names}
    return {OF_THE_PROGRAM: [n for n in _own(values) if n not in known], **settings}


def _own(values: flags.FlagValues) -> list[str]:
    """The flags that the rooms of experiments/ define, in the order of their names."""
    defined: Mapping[str, Iterable[flags.Flag]] = values.flags_by_module_dict()
    rooms = [m for m in defined if m.startswith("experiments.") or m == sys.argv[0]]
    return sorted({flag.name for module in rooms for flag in defined[module]})


def _said_of(config_class: type, part: str) -> str:
    """What the dataclass of a part of the settings says of itself, in its first sentence."""
    found = typing.get_type_hints(config_class).get(part)
    if found is None:
        return ""
    sentence = (inspect.getdoc(found) or "").split(".")[0]
    return f" - {' '.join(sentence.split())}"


def _entry(flag: flags.Flag, defaults: Mapping[str, Any]) -> str:
    """One flag, with what it may be and what it is where it is not given."""
    name = f"[no]{flag.name}" if flag.boolean else flag.name
    default = flag.default if flag.default is not None else defaults.get(flag.name)
    said = "" if default is None else f" (default {_value(default)})"
    return _wrapped(f"--{name}: {flag.help.rstrip('.')}{said}", "  ")


def _value(default: Any) -> str:
    if isinstance(default, tuple | list):
        return ",".join(map(str, default)) or "none"
    return str(default).lower() if isinstance(default, bool) else f"{default}"


def _wrapped(text: str, indent: str) -> str:
    width = min(shutil.get_terminal_size((COLUMNS, 24)).columns, COLUMNS)
    return textwrap.fill(
        " ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent + "    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
