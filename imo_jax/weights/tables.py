"""Networks whose names in a file differ by module: a table says what each module is called there.

A row pairs the path of modules here with their name in the file, numbers in both as `{i}`, `{j}`;
`{i1}` is one more than `{i}`, for files that count from one.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping

import numpy as np

from imo_jax.weights.imo import strip_prefixes
from imo_jax.weights.resnet import spread_channels
from imo_jax.weights.rules import (
    KINDS,
    Rule,
    WeightsError,
    flatten,
    nest,
    to_state,
    torch_shape,
)

LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}
LEAVES |= {"mean": "running_mean", "var": "running_var"}
COUNTERS = "num_batches_tracked"

Row = tuple[str, str, str]  # path here, name there, kind of the kernel (rules.KINDS)


@dataclasses.dataclass(frozen=True)
class Naming:
    """What one library calls the modules of a network.

    Attributes:
      stem: path here of the first convolution.
      required: rows of what every file must hold: the backbone.
      optional: rows of what a file may hold and may hold in other shapes: heads.
      prefix: of names in the rows, which files of the backbone alone leave out.
      ignored: beginnings of names that have no place in the network.
    """

    stem: str
    required: tuple[Row, ...]
    optional: tuple[Row, ...] = ()
    prefix: str = ""
    ignored: tuple[str, ...] = ()


def load_by_table(
    state: Mapping[str, np.ndarray],
    variables: Mapping,
    namings: Mapping[str, Naming],
    what: str,
) -> tuple[dict, str]:
    """Puts a file's weights into an initialised network.

    Args:
      state: name -> array (see `files.read_state_dict`).
      variables: {"params", ...} of the network.
      namings: by name, the one is taken under which most of the file's names are known.
      what: the network's name, for the line and for errors.

    Returns:
      The variables, with what the file holds replaced (float32 numpy arrays), and a line that says
      what was loaded, what of the file was ignored and what of the network stays as it was. Where
      the first convolution takes another number of channels than the file's, see
      `resnet.spread_channels`.

    Raises:
      WeightsError: the names are none of these, or entries of the backbone are missing, misshapen
        or without a place (all of them listed).
    """
    state = strip_prefixes(state)
    flat = flatten(variables)
    name, naming = _recognise(state, flat, namings, what)
    required, optional = (table_rules(flat, rows) for rows in (naming.required, naming.optional))
    state = _with_prefix(state, (*required, *optional), naming.prefix)
    state, notes = _fit_channels(state, naming, flat)
    loaded, problems = _converted(state, required, flat)
    more, misfits = _converted(state, [rule for rule in optional if rule.name in state], flat)
    ignored, unmatched = _left_over(state, (*required, *optional), naming)
    if problems + unmatched:
        raise WeightsError(problems + unmatched)
    loaded |= more
    notes.append(f"ignored: {', '.join(misfits + ignored) or 'nothing'}")
    fresh = sorted({_module(path) for path in flat if path not in loaded})
    notes.append(f"fresh: {', '.join(fresh) or 'nothing'}")
    line = f"{what} under {name} names: {len(loaded)} arrays"
    return nest(flat | loaded), "; ".join([line, *notes])


def _converted(
    state: Mapping[str, np.ndarray], rules: Iterable[Rule], flat: Mapping
) -> tuple[dict[tuple[str, ...], np.ndarray], list[str]]:
    """Path -> float32 array of every rule whose entry is there and fits; what is wrong with others."""
    converted, problems = {}, []
    for rule in rules:
        wanted = torch_shape(np.shape(flat[rule.path]), rule.kind)
        if rule.name not in state:
            problems.append(f"missing: {rule.name}")
            continue
        array = np.asarray(state[rule.name])
        if array.shape == wanted:
            array = KINDS[rule.kind][0](array)
            converted[rule.path] = np.ascontiguousarray(array, dtype=np.float32)
        else:
            problems.append(f"misshapen: {rule.name} is {array.shape}, the model has {wanted}")
    return converted, problems


def _left_over(
    state: Iterable[str], rules: Iterable[Rule], naming: Naming
) -> tuple[list[str], list[str]]:
    """The entries without a rule: those to be ignored, and an error for each of the others."""
    names = {rule.name for rule in rules}
    others = [entry for entry in state if entry not in names and not entry.endswith(COUNTERS)]
    ignored = [entry for entry in others if entry.startswith(naming.ignored)]
    return ignored, [f"unmatched: {entry}" for entry in others if entry not in ignored]


def state_by_table(variables: Mapping, naming: Naming) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) of everything that the naming's rows name."""
    rules = table_rules(flatten(variables), (*naming.required, *naming.optional))
    return to_state(variables, rules)


def table_rules(paths: Iterable[tuple[str, ...]], rows: Iterable[Row]) -> list[Rule]:
    """A rule for each variable (path, collection first) that a row speaks of.

    A row's path is one of modules, or of a variable that belongs to none.
    """
    patterns = [(_pattern(here), there, kind) for here, there, kind in rows]
    found = []
    for path in paths:
        _, *modules, leaf = path
        for pattern, there, kind in patterns:
            if leaf in LEAVES and (match := pattern.fullmatch("/".join(modules))):
                name = f"{_filled(there, match)}.{LEAVES[leaf]}"
                found.append(Rule(name, path, kind if leaf == "kernel" else "vector"))
            elif match := pattern.fullmatch("/".join((*modules, leaf))):
                found.append(Rule(_filled(there, match), path, kind))
    return found


def _pattern(here: str) -> re.Pattern[str]:
    """Of "stage{i}/norm", the expression that matches stage0/norm and captures i."""
    return re.compile(re.sub(r"\{(\w)\}", r"(?P<\1>\\d+)", here))


def _filled(there: str, match: re.Match[str]) -> str:
    numbers = {name: int(text) for name, text in match.groupdict().items()}
    return there.format(**numbers, **{f"{name}1": n + 1 for name, n in numbers.items()})


def _recognise(
    state: Mapping[str, np.ndarray],
    paths: Iterable[tuple[str, ...]],
    namings: Mapping[str, Naming],
    what: str,
) -> tuple[str, Naming]:
    """The naming that knows most of the file's names.

    Raises:
      WeightsError: none knows any.
    """

    def known(name: str) -> int:
        naming = namings[name]
        rules = table_rules(paths, naming.required)
        prefixed = _with_prefix(state, rules, naming.prefix)
        return sum(rule.name in prefixed for rule in rules)

    best = max(namings, key=known)
    if known(best) == 0:
        some = ", ".join(sorted(state)[:3])
        raise WeightsError([f"not the names of {what} ({', '.join(namings)}): {some}, ..."])
    return best, namings[best]


def _with_prefix(
    state: Mapping[str, np.ndarray], rules: Iterable[Rule], prefix: str
) -> dict[str, np.ndarray]:
    """The state with the prefix before the names that have a rule only so."""
    names = {rule.name for rule in rules}

    def full(entry: str) -> str:
        return prefix + entry if entry not in names and prefix + entry in names else entry

    return {full(entry): array for entry, array in state.items()}


def _fit_channels(
    state: dict[str, np.ndarray], naming: Naming, flat: Mapping
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The state with the first convolution's inputs spread to the network's, and what was done."""
    path = ("params", *naming.stem.split("/"), "kernel")
    (stem,) = table_rules([path], naming.required)
    there = np.shape(state.get(stem.name, ()))
    channels = np.shape(flat[path])[-2]
    if len(there) != 4 or there[1] == channels:
        return state, []
    kernel = spread_channels(state[stem.name], channels)
    return state | {stem.name: kernel}, [f"input channels spread from {there[1]} to {channels}"]


def _module(path: tuple[str, ...]) -> str:
    """What a variable belongs to, in two levels at most: backbone/norm0, classifier."""
    _, *modules, leaf = path
    return "/".join(modules[:2]) if len(modules) > 1 else (modules or [leaf])[0]
