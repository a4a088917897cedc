"""Families of backbones: pretrained weights into a network, and a network's weights out of it."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from imo_jax.weights.naming import Naming, Path, join, match, split
from imo_jax.weights.prefixes import prefixes_before, strip_prefixes
from imo_jax.weights.rules import (
    Rule,
    WeightsError,
    flatten,
    nest,
    to_state,
    to_variables,
    torch_shape,
)

# Arrays that are no weights, whatever the family: what they are called in a summary.
BUFFERS = {
    r"\.num_batches_tracked$": "batch counters",
    r"(relative_position_index|attention_bias_idxs)$": "tables of indices",
}

SUMMED = 4  # arrays of one module that are named one by one

Shapes = Mapping[Path, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of backbone, in all its sizes.

    Attributes:
      name: in words.
      marks: variables that, with `stem`, all its members have and no other family's.
      stem: the first convolution's kernel, whose input channels may differ from a file's.
      namings: library -> its names.
      size: name of a member, or else words for it, from its variables' shapes in PyTorch's layout.
      optional: modules (templates, see `naming.PLACE`) that some members lack: they may be left as
        they are in the network, and may be left over in the file.
      resized: arrays (templates) laid out for an image size -> function of the file's array and the
        shape to bring it to, both in PyTorch's layout.
    """

    name: str
    marks: tuple[Path, ...]
    stem: Path
    namings: Mapping[str, Naming]
    size: Callable[[Shapes], str]
    optional: tuple[str, ...] = ()
    resized: Mapping[str, Callable[[np.ndarray, tuple[int, ...]], np.ndarray]] = dataclasses.field(
        default_factory=dict
    )

    def may_lack(self, path: Path) -> bool:
        """Whether a variable belongs to an optional module."""
        _, *module, _ = path
        return any(match(t, "/".join(module)) is not None for t in self.optional)


@dataclasses.dataclass(frozen=True)
class Found:
    """A file that was recognised.

    Attributes:
      family: what it holds.
      naming: whose names it has, a key of `family.namings`.
      state: its arrays, under the names of that table.
      places: name of each array that has a place in the family -> the place.
      prefix: before the names of the backbone's arrays in the file.
      outside: names of arrays that stand beside the backbone, without that prefix.
    """

    family: Family
    naming: str
    state: dict[str, np.ndarray]
    places: dict[str, Path]
    prefix: str = ""
    outside: frozenset[str] = frozenset()

    @property
    def names(self) -> Naming:
        return self.family.namings[self.naming]

    @property
    def shapes(self) -> dict[Path, tuple[int, ...]]:
        """Path here -> shape in PyTorch's layout, of what the file has."""
        shapes: dict[Path, tuple[int, ...]] = {}
        for name, path in self.places.items():
            first, *rest = np.shape(self.state[name]) or (0,)
            first += shapes[path][0] if path in shapes else 0  # side by side there, one here
            shapes[path] = (first, *rest)
        return shapes


def identify(state: Mapping[str, np.ndarray], families: Iterable[Family]) -> Found:
    """The family, and the naming of its own, that have a place for most of a file's arrays.

    Raises:
      WeightsError: the file has the marks of none of them.
    """
    state = strip_prefixes(state)
    candidates = [
        found
        for family in families
        for naming, names in family.namings.items()
        for prefix in _possible_prefixes(state, family, names)
        if (found := _found(state, family, naming, prefix)) is not None
    ]
    if not candidates:
        known = ", ".join(f"{family.name} ({', '.join(family.namings)})" for family in families)
        some = ", ".join(sorted(state)[:3])
        raise WeightsError([f"not the names of a {known}: {some}, ..."])
    return max(candidates, key=lambda found: len(found.places))


def _possible_prefixes(state: Mapping[str, np.ndarray], family: Family, names: Naming) -> list[str]:
    """What may stand before all of a backbone's names: what does before its first convolution's."""
    stem = names.rule(family.stem, 4)
    cleaned = [names.clean_name(name) for name in state]
    return ["", *filter(None, prefixes_before(cleaned, stem.name))] if stem else [""]


def _found(
    state: Mapping[str, np.ndarray], family: Family, naming: str, prefix: str
) -> Found | None:
    """The file as a member of a family under a naming; None = it has not its marks."""
    names = family.namings[naming]
    inside, outside = {}, {}
    for name, array in state.items():
        # A prefix of the table's own, as "vit.", may come before or after this one.
        known = name if name.startswith(prefix) else names.clean_name(name)
        part = inside if known.startswith(prefix) else outside
        part[known.removeprefix(prefix)] = array
    cleaned = names.clean(inside)
    places = {name: path for name in cleaned if (path := names.path(name)) is not None}
    if not {family.stem, *family.marks} <= set(places.values()):
        return None
    beside = {
        f"{name} (outside)" if name in cleaned else name: array for name, array in outside.items()
    }
    return Found(family, naming, beside | cleaned, places, prefix, frozenset(beside))


def put(found: Found, variables: Mapping, at: Path, families: Iterable[Family]) -> tuple[dict, str]:
    """Puts what was found in a file into an initialised network; see `pretrained.load_pretrained`.

    Raises:
      WeightsError: another family or size (in one line), or single arrays that are missing,
        misshapen or without a place (all of them listed).
      ValueError: the network has no backbone at `at`.
    """
    family, names = found.family, found.names
    flat = flatten(variables)
    backbone = {inner: leaf for path, leaf in flat.items() if (inner := within(path, at))}
    _check_family(found, backbone, at, families)
    paired = {path: names.rule(path, len(leaf.shape)) for path, leaf in backbone.items()}
    state = join(found.state, [rule for rule in paired.values() if rule])
    fresh = [
        path
        for path, rule in paired.items()
        if family.may_lack(path) and (rule is None or rule.name not in state)
    ]
    rules = [rule for path, rule in paired.items() if rule and path not in fresh]
    shapes = {path: leaf.shape for path, leaf in backbone.items() if path not in fresh}
    size = _check_size(found, {r.path: torch_shape(shapes[r.path], r.kind) for r in rules})

    state, notes = _adapt(state, rules, shapes, family)
    leftover, ignored = _ignored(found, state, rules)
    notes.append(f"ignored: {', '.join(summary(ignored)) or 'nothing'}")
    used = {name: array for name, array in state.items() if name not in leftover}
    loaded = flatten(to_variables(used, rules, shapes))
    flat |= {(collection, *at, *inner): leaf for (collection, *inner), leaf in loaded.items()}
    outside = {_beside(path, at) for path in flat if not within(path, at)}
    inside = {"/".join((*at, *path[1:-1])) for path in fresh}
    notes.append(f"fresh: {', '.join(sorted(outside | inside)) or 'nothing'}")
    behind = f" behind {found.prefix!r}" if found.prefix else ""
    line = f"{size} under {found.naming} names{behind}: {len(loaded)} arrays"
    return nest(flat), "; ".join([line, *notes])


def take(
    variables: Mapping, family: Family, naming: str, at: Path = ("backbone",)
) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) of the family's backbone at `at`, under a naming of its own."""
    names = family.namings[naming]
    flat = flatten(variables)
    backbone = {inner: leaf for path, leaf in flat.items() if (inner := within(path, at))}
    rules = [names.rule(path, np.ndim(leaf)) for path, leaf in backbone.items()]
    return split(to_state(nest(backbone), [rule for rule in rules if rule]))


def within(path: Path, at: Path) -> Path:
    """Path without `at` after the collection; () where it lies elsewhere."""
    collection, *rest = path
    inside = tuple(rest[: len(at)]) == tuple(at)
    return (collection, *rest[len(at) :]) if inside else ()


def spread_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """(out, in, ...) -> (out, channels, ...), each channel the sum over the old ones / channels."""
    shared = np.asarray(kernel, np.float32).sum(axis=1, keepdims=True) / channels
    return np.repeat(shared, channels, axis=1)


def summary(names: Iterable[str]) -> list[str]:
    """Names; where more than SUMMED share their first part, only that and how many there are."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.split(".")[0], []).append(name)
    said = []
    for first, members in groups.items():
        many = len(members) > SUMMED
        said += [f"{first} ({len(members)} arrays)"] if many else members
    return said


def words(family: Family, shapes: Shapes) -> str:
    """A member in words, its first convolution included."""
    channels, _, *kernel = shapes[family.stem]
    kernel = " x ".join(map(str, kernel))
    return f"{family.size(shapes)} that begins with {channels} channels by {kernel}"


def _check_family(found: Found, backbone: Shapes, at: Path, families: Iterable[Family]) -> None:
    place = "/".join(at) or "its top"
    there = [family for family in families if {family.stem, *family.marks} <= set(backbone)]
    if not there:
        kinds = ", ".join(family.name for family in families)
        raise ValueError(f"the network has no {kinds} at {place}")
    if found.family not in there:
        kind = " and ".join(family.name for family in there)
        raise WeightsError([f"the file holds a {found.family.name}, the network has a {kind}"])


def _check_size(found: Found, ours: Shapes) -> str:
    """The network's size in words; a WeightsError of one line where the file's is another."""
    here, there = words(found.family, ours), words(found.family, found.shapes)
    if here != there:
        raise WeightsError([f"the file holds a {there}, the network has a {here}"])
    return found.family.size(ours)


def _adapt(
    state: dict[str, np.ndarray], rules: list[Rule], shapes: Shapes, family: Family
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays with the network's input channels and positions, and what was done in words."""
    adapted, notes, resized = dict(state), [], 0
    for rule in rules:
        array, wanted = state.get(rule.name), torch_shape(shapes[rule.path], rule.kind)
        if array is None or np.shape(array) == wanted:
            continue
        if rule.path == family.stem:
            adapted[rule.name] = spread_channels(array, wanted[1])
            notes.append(f"input channels spread from {np.shape(array)[1]} to {wanted[1]}")
        for template, resize in family.resized.items():
            if match(template, "/".join(rule.path[1:])) is not None:
                adapted[rule.name] = resize(np.asarray(array, np.float32), wanted)
                resized += 1
    return adapted, notes + ([f"positions resized in {resized} arrays"] if resized else [])


def _ignored(
    found: Found, state: Mapping[str, np.ndarray], rules: list[Rule]
) -> tuple[set[str], list[str]]:
    """Arrays of the file that are let go on purpose, and a list of them in words."""
    used = {rule.name for rule in rules}
    leftover, listed, buffers = set(), [], dict.fromkeys(BUFFERS.values(), 0)
    for name in state:
        kind = next((kind for pattern, kind in BUFFERS.items() if re.search(pattern, name)), None)
        if kind is not None:
            leftover.add(name)
            buffers[kind] += 1
        elif name not in used and _has_no_place(found, name):
            leftover.add(name)
            listed.append(name)
    return leftover, listed + [f"{n} {kind}" for kind, n in buffers.items() if n]


def _has_no_place(found: Found, name: str) -> bool:
    if name in found.outside or found.names.is_head(name) or found.names.is_ignored(name):
        return True
    return name in found.places and found.family.may_lack(found.places[name])


def _beside(path: Path, at: Path) -> str:
    """The outermost module of `path` that is not on the way to `at`."""
    modules = path[1:]
    common = next((i for i, (a, b) in enumerate(zip(modules, at)) if a != b), len(modules) - 1)
    return "/".join(modules[: common + 1])
