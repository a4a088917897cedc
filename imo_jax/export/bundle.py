"""All files of an exported run, as bytes."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np

from imo_jax.export import onnx_model, stablehlo
from imo_jax.export.card import card_of, in_words
from imo_jax.export.example import example_of, preparation_source
from imo_jax.export.parts import Part, parts_of
from imo_jax.predictor import EyePredictor, VolumePredictor

Function = Callable[..., dict[str, np.ndarray]]
CARD = "card.json"
COMPARED = 2  # made-up examples on which a file is compared with the original
# A file that differs more on average, of numbers about 1, computes something else.
LARGEST_MEAN_DIFFERENCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Format:
    """A way to write functions.

    Attributes:
      write: a part -> its file.
      read: a file -> the function in it.
      about: what is needed to use such a file, for the card.
    """

    write: Callable[[Part], bytes]
    read: Callable[[bytes], Function]
    about: str


FORMATS = {
    "stablehlo": Format(
        stablehlo.serialised,
        stablehlo.restored,
        "StableHLO as `jax.export` writes it, for " + " and ".join(stablehlo.PLATFORMS) + "; needs "
        "`pip install jax flatbuffers numpy scipy pillow` and nothing of this project. JAX reads "
        "such a file for at least six months after it was made.",
    ),
    "onnx": Format(
        onnx_model.serialised,
        onnx_model.restored,
        f"ONNX, opset {onnx_model.OPSET}; needs `pip install onnxruntime numpy scipy pillow` and "
        "nothing of this project or JAX.",
    ),
}


def bundle_of(predictor: EyePredictor | VolumePredictor, format: str) -> dict[str, bytes]:
    """Name -> content of all files: each function's, card.json, card.md, example.py, preparation.py.

    Every function is read back and compared with the original; the card says how far they differ.

    Args:
      predictor: from `imo_jax.load`.
      format: a name of FORMATS.

    Raises:
      ImportError: the format needs a package that is not installed; the message has the command.
      ValueError: the format cannot hold this network, or what was written computes something else.
    """
    chosen = FORMATS[format]
    parts = parts_of(predictor)
    files = {f"{part.name}.{format}": chosen.write(part) for part in parts}
    differences = {
        part.name: difference(part, chosen.read(content))
        for part, content in zip(parts, files.values(), strict=True)
    }
    of_format = {"name": format, "about": chosen.about}
    card = card_of(predictor, parts, files, differences, of_format)
    texts = {
        "card.md": in_words(card),
        "example.py": example_of(predictor, parts, format),
        "preparation.py": preparation_source(predictor),
        CARD: json.dumps(card, indent=2, allow_nan=False) + "\n",
    }
    return files | {name: text.encode() for name, text in texts.items()}


def difference(part: Part, function: Function) -> dict[str, float]:
    """Output -> largest difference of a part's function from what the predictor says.

    Raises ValueError where it is another function.
    """
    batch = part.example_batch(COMPARED)
    found, largest = function(**batch), {}
    for name, expected in part.original(batch).items():
        off = np.abs(found[name] - expected)
        scale = max(1.0, float(np.abs(expected).max()))
        if not off.mean() <= LARGEST_MEAN_DIFFERENCE * scale:
            raise ValueError(
                f"{part.name} would say something else than the original: its {name} is off by "
                f"{off.mean():.2g} on average"
            )
        largest[name] = float(off.max())
    return largest
