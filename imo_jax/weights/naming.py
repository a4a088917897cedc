"""Tables of names: how a library calls a family's variables, read in both directions."""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from imo_jax.weights.rules import Rule

Path = tuple[str, ...]  # of a variable here: collection, modules, leaf

# {i}, {j+1}, {2i+1}: a number of a stage, block or layer, times one number, plus another.
PLACE = re.compile(r"\{(\d*)([a-z])(?:\+(\d+))?\}")
JOIN = " & "  # between the names of arrays that are one here

LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}
LEAVES |= {"mean": "running_mean", "var": "running_var"}
STATISTICS = ("mean", "var")


def fill(template: str, numbers: Mapping[str, int]) -> str:
    """The template with its places filled."""
    return PLACE.sub(
        lambda m: str(int(m[1] or 1) * numbers[m[2]] + int(m[3] or 0)),
        template,
    )


@functools.cache
def _pattern(template: str) -> tuple[re.Pattern, tuple[tuple[int, str, int], ...]]:
    texts = PLACE.split(template)[::4]
    places = tuple((int(f or 1), n, int(o or 0)) for f, n, o in PLACE.findall(template))
    return re.compile(r"(\d+)".join(map(re.escape, texts))), places


def match(template: str, text: str) -> dict[str, int] | None:
    """The numbers with which the template gives the text; None = there are none."""
    pattern, places = _pattern(template)
    found = pattern.fullmatch(text)
    if found is None:
        return None
    numbers: dict[str, int] = {}
    for digits, (factor, letter, offset) in zip(found.groups(), places, strict=True):
        value, rest = divmod(int(digits) - offset, factor)
        if rest or value < 0 or numbers.setdefault(letter, value) != value:
            return None
    return numbers


def depths(paths: Iterable[Path], template: str) -> tuple[int, ...]:
    """Blocks a stage, from the paths that follow a template of stage {i} and block {j}."""
    found = [numbers for path in paths if (numbers := match(template, "/".join(path[1:])))]
    stages = sorted({numbers["i"] for numbers in found})
    return tuple(len({n["j"] for n in found if n["i"] == stage}) for stage in stages)


def _unchanged(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return state


@dataclasses.dataclass(frozen=True)
class Naming:
    """How a library names the variables of a family of backbones.

    Left stand paths here without the collection, right the names there, both with places for
    numbers (see PLACE). Where two templates fit, the first one counts.

    Attributes:
      modules: module here -> module there; a tuple = theirs side by side, as one with all outputs.
      arrays: single array here -> its name there and its layout, one of `rules.KINDS`.
      heads: modules and arrays of the classifier that belonged to the pretraining.
      ignored: further ones without a place in a backbone.
      prefixes: before the backbone's names in files of whole networks.
      aliases: (pattern, replacement) that bring other versions' names to these, prefix removed.
      prepare: changes a file's arrays before they are looked at, names brought to these.
      pointwise: matrices here are 1x1 convolutions there.
    """

    modules: Mapping[str, str | tuple[str, ...]]
    arrays: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    heads: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    prepare: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] = _unchanged
    pointwise: bool = False

    def clean(self, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A file's arrays under the names of this table: prefixes, aliases, `prepare`."""
        return self.prepare({self.clean_name(name): array for name, array in state.items()})

    def clean_name(self, name: str) -> str:
        """A file's name as this table has it."""
        prefix = next((p for p in self.prefixes if name.startswith(p)), "")
        name = name.removeprefix(prefix)
        for pattern, replacement in self.aliases:
            name = re.sub(pattern, replacement, name)
        return name

    def rule(self, path: Path, ndim: int) -> Rule | None:
        """What the variable at `path`, of `ndim` axes, is there; None = it has no name there."""
        _, *inner = path
        for template, (name, kind) in self.arrays.items():
            if (numbers := match(template, "/".join(inner))) is not None:
                return Rule(fill(name, numbers), path, kind)
        *module, leaf = inner
        for template, names in self.modules.items():
            if (numbers := match(template, "/".join(module))) is not None:
                names = (names,) if isinstance(names, str) else names
                full = [f"{fill(name, numbers)}.{LEAVES[leaf]}" for name in names]
                return Rule(JOIN.join(full), path, self._kind(leaf, ndim))
        return None

    def _kind(self, leaf: str, ndim: int) -> str:
        if leaf != "kernel":
            return "vector"
        if ndim == 2:
            return "pointwise" if self.pointwise else "linear"
        return "depthwise" if ndim == 3 else "conv"

    def path(self, name: str) -> Path | None:
        """Where the array of this name belongs here; None = nowhere."""
        for template, (theirs, _) in self.arrays.items():
            if (numbers := match(theirs, name)) is not None:
                return ("params", *fill(template, numbers).split("/"))
        module, _, their_leaf = name.rpartition(".")
        for template, names in self.modules.items():
            for theirs in (names,) if isinstance(names, str) else names:
                if (numbers := match(theirs, module)) is not None:
                    inner = fill(template, numbers).split("/")
                    if (leaf := _leaf(their_leaf, inner[-1])) is not None:
                        return ("batch_stats" if leaf in STATISTICS else "params", *inner, leaf)
        return None

    def is_head(self, name: str) -> bool:
        """Whether an array belongs to the classifier of the pretraining."""
        return _below(name, self.heads)

    def is_ignored(self, name: str) -> bool:
        """Whether an array is known to have no place in a backbone, the classifier's aside."""
        return _below(name, self.ignored)


def _leaf(theirs: str, module: str) -> str | None:
    """Leaf here of a leaf there; norms have scales, other modules kernels."""
    if theirs == "weight":
        return "scale" if "norm" in module else "kernel"
    return next((ours for ours, name in LEAVES.items() if name == theirs), None)


def _below(name: str, modules: Iterable[str]) -> bool:
    return any(name == module or name.startswith(module + ".") for module in modules)


def join(state: Mapping[str, np.ndarray], rules: Iterable[Rule]) -> dict[str, np.ndarray]:
    """Arrays with those joined along the first axis (outputs) that are one here."""
    joined = dict(state)
    for rule in rules:
        parts = rule.name.split(JOIN)
        if len(parts) > 1 and all(part in joined for part in parts):
            joined[rule.name] = np.concatenate([joined.pop(part) for part in parts])
    return joined


def split(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of `join`: joined arrays in equal parts, each under its own name."""
    parts = {}
    for joined, array in state.items():
        names = joined.split(JOIN)
        parts |= dict(zip(names, np.split(array, len(names)) if len(names) > 1 else [array]))
    return parts
