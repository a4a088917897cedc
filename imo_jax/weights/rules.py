"""Rules that pair a PyTorch tensor with a Flax variable, and the exchange in both directions."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

# kind -> (PyTorch -> Flax, Flax -> PyTorch). Layouts: PyTorch convolutions are (out, in, kh, kw).
KINDS = {
    "vector": (lambda a: a, lambda a: a),
    "table": (lambda a: a, lambda a: a),
    # (out, in) <-> (in, out)
    "linear": (lambda a: a.T, lambda a: a.T),
    # (out, in, kh, kw) <-> (kh, kw, in, out), or with kd before kh
    "conv": (
        lambda a: np.moveaxis(a, (0, 1), (-1, -2)),
        lambda a: np.moveaxis(a, (-1, -2), (0, 1)),
    ),
    # (out, in, 1, 1) <-> (in, out)
    "pointwise": (lambda a: a[:, :, 0, 0].T, lambda a: a.T[:, :, None, None]),
    # (C, 1, kh, kw) <-> (kh, kw, C)
    "depthwise": (lambda a: a[:, 0].transpose(1, 2, 0), lambda a: a.transpose(2, 0, 1)[:, None]),
    # (C, 1, 1) <-> (C,)
    "channel": (lambda a: a[:, 0, 0], lambda a: a[:, None, None]),
    # (1, 1, C) <-> (C,)
    "token": (lambda a: a[0, 0], lambda a: a[None, None]),
    # (1, N, C) <-> (N, C)
    "sequence": (lambda a: a[0], lambda a: a[None]),
    # (C, 1, 1, 1) <-> (C,)
    "scale": (lambda a: a[:, 0, 0, 0], lambda a: a[:, None, None, None]),
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """PyTorch tensor `name` is the Flax variable at `path` (collection first), by way of `kind`."""

    name: str
    path: tuple[str, ...]
    kind: str


class WeightsError(ValueError):
    """Entries that do not fit; `problems` holds one line for each, `file` says where they are."""

    def __init__(self, problems: list[str], file: str = "") -> None:
        self.problems = problems
        what = problems[0]
        if len(problems) > 1:
            what = f"{len(problems)} weights do not fit the model:\n  " + "\n  ".join(problems)
        super().__init__(f"{file}: {what}" if file else what)


def to_variables(
    state: Mapping[str, np.ndarray],
    rules: Iterable[Rule],
    shapes: Mapping[tuple[str, ...], tuple[int, ...]],
    ignored: tuple[str, ...] = (),
) -> dict:
    """Nested Flax variables from a PyTorch state dict.

    Args:
      state: PyTorch name -> array.
      rules: one for each variable of the model.
      shapes: path of each variable of the model -> its shape.
      ignored: an unmatched name is let go when one of these is part of it.

    Returns:
      Nested dict of float32 arrays, with exactly the paths of `shapes`.

    Raises:
      WeightsError: listing every unmatched, missing and misshapen entry.
    """
    rules = list(rules)
    problems = []
    flat = {}
    for rule in rules:
        if rule.name not in state:
            problems.append(f"missing: {rule.name}")
            continue
        array = np.asarray(state[rule.name])
        expected = torch_shape(shapes[rule.path], rule.kind)
        if array.shape != expected:
            problems.append(f"misshapen: {rule.name} is {array.shape}, the model has {expected}")
            continue
        flat[rule.path] = np.ascontiguousarray(KINDS[rule.kind][0](array), dtype=np.float32)
    matched = {rule.name for rule in rules}
    for name in state:
        if name not in matched and not any(part in name for part in ignored):
            problems.append(f"unmatched: {name}")
    uncovered = set(shapes) - {rule.path for rule in rules}
    problems += [f"no rule for {'/'.join(path)}" for path in sorted(uncovered)]
    if problems:
        raise WeightsError(problems)
    return nest(flat)


def to_state(variables: Mapping, rules: Iterable[Rule]) -> dict[str, np.ndarray]:
    """PyTorch state dict (name -> float32 array) from nested Flax variables."""
    state = {}
    for rule in rules:
        array = np.asarray(_get(variables, rule.path), np.float32)
        state[rule.name] = np.ascontiguousarray(KINDS[rule.kind][1](array))
    return state


def torch_shape(shape: tuple[int, ...], kind: str) -> tuple[int, ...]:
    """Shape of the PyTorch tensor behind a Flax variable of `shape`."""
    # A view without memory: only its shape is of interest.
    return KINDS[kind][1](np.broadcast_to(np.float32(0), shape)).shape


def nest(flat: Mapping[tuple[str, ...], np.ndarray]) -> dict:
    """{("a", "b"): x} -> {"a": {"b": x}}."""
    nested: dict = {}
    for path, value in flat.items():
        node = nested
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = value
    return nested


def flatten(nested: Mapping, prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """{"a": {"b": x}} -> {("a", "b"): x}."""
    flat = {}
    for key, value in nested.items():
        path = (*prefix, key)
        flat |= flatten(value, path) if isinstance(value, Mapping) else {path: value}
    return flat


def _get(nested: Mapping, path: tuple[str, ...]):
    for part in path:
        nested = nested[part]
    return nested
