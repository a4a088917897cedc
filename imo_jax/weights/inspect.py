"""Says what a file of weights holds: `python -m imo_jax.weights.inspect FILE`."""

import argparse
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from imo_jax.weights.family import BUFFERS, Found, summary
from imo_jax.weights.files import read_state_dict
from imo_jax.weights.recognise import is_imo, recognise
from imo_jax.weights.rules import WeightsError


def describe(state: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """What the arrays are, as (label, words).

    Args:
      state: name -> array (see `files.read_state_dict`).

    Raises:
      WeightsError: no family of backbones, nor IMO.
    """
    weights = {
        name: array
        for name, array in state.items()
        if not any(re.search(pattern, name) for pattern in BUFFERS)
    }
    parameters = sum(
        np.size(array)
        for name, array in weights.items()
        if not name.endswith(("running_mean", "running_var"))
    )
    numbers = ("arrays", f"{len(state)}, with {parameters:,} parameters")
    if is_imo(state):
        return [("family", "IMO, the whole network"), ("names", "of the released code"), numbers]
    return _describe_backbone(recognise(state), numbers)


def _describe_backbone(found: Found, numbers: tuple[str, str]) -> list[tuple[str, str]]:
    names, shapes = found.names, found.shapes
    heads = [name for name in found.state if names.is_head(name)]
    classes = [len(found.state[name]) for name in heads if np.ndim(found.state[name]) > 1]
    others = [
        name
        for name in found.state
        if name not in found.places
        and name not in heads
        and name not in found.outside
        and not names.is_ignored(name)
        and not any(re.search(pattern, name) for pattern in BUFFERS)
    ]
    lines = [
        ("family", found.family.name),
        ("size", found.family.size(shapes)),
        ("names", found.naming),
        numbers,
        ("input", f"{shapes[found.family.stem][1]} channels"),
        ("head", f"{classes[-1]} classes" if classes else "none"),
    ]
    if found.prefix:
        lines.append(("prefix", found.prefix))
    if found.outside:
        lines.append(("beside", ", ".join(summary(sorted(found.outside)))))
    if others:
        more = ", ..." if len(others) > 3 else ""
        lines.append(("unknown", f"{len(others)} arrays: {', '.join(others[:3])}{more}"))
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the description; 1 where the file is not understood."""
    parser = argparse.ArgumentParser(prog="python -m imo_jax.weights.inspect", description=__doc__)
    parser.add_argument("file", type=pathlib.Path, help=".safetensors, .npz or a PyTorch file")
    path = parser.parse_args(arguments).file
    try:
        lines = describe(read_state_dict(path))
    except WeightsError as error:
        print(WeightsError(error.problems, str(path)), file=sys.stderr)
        return 1
    except (OSError, ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    for label, text in lines:
        print(f"{label:8} {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
