"""Functions as ONNX models, by jax2onnx from their plain primitives."""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import numpy as np

from imo_jax.export.flattened import flattened
from imo_jax.export.parts import Part

OPSET = 21  # of ONNX 1.16 (2024); ONNX Runtime reads it from 1.18 on
BATCH = "batch"  # the size that is left open
INSTALL = "pip install -e '.[onnx]'"


def serialised(part: Part) -> bytes:
    """The file of a part; its parameters, and the noise that it starts from, are constants in it.

    Raises:
      ImportError: the converter is not installed; the message has the command that installs it.
      ValueError: the converter cannot write this network.
    """
    jax2onnx = _installed("jax2onnx")

    def in_order(*arrays: jax.Array) -> list[jax.Array]:
        outputs = part.of_one(**dict(zip(part.inputs, arrays, strict=True)))
        return [outputs[name] for name in part.outputs]

    of_one = flattened(in_order, *part.inputs.values())
    shapes = [jax.ShapeDtypeStruct((BATCH, *x.shape), x.dtype) for x in part.inputs.values()]
    # It warns of every intermediate array whose type it leaves to the reader.
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    try:
        model = jax2onnx.to_onnx(
            lambda *arrays: tuple(jax.vmap(of_one)(*arrays)),
            shapes,
            model_name=part.name,
            opset=OPSET,
            input_names=list(part.inputs),
            output_names=list(part.outputs),
        )
    except Exception as error:  # it raises whatever its operators' writers do
        raise ValueError(f"jax2onnx cannot write this network: {error}") from error
    return model.SerializeToString()


def restored(content: bytes) -> Callable[..., dict[str, np.ndarray]]:
    """The function in a file: inputs by name -> outputs by name, by ONNX Runtime on the CPU.

    Raises:
      ImportError: ONNX Runtime is not installed; the message has the command that installs it.
    """
    runtime = _installed("onnxruntime")
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def call(**inputs: np.ndarray) -> dict[str, Any]:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return call


def _installed(name: str) -> ModuleType:
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f"ONNX needs {name}, which is not installed: {INSTALL}") from error
