"""ONNX files say what the predictor says, in ONNX Runtime, for any number of examples."""

import ast
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from imo_jax.export import onnx_model
from imo_jax.export.parts import Part, parts_of

pytest.importorskip("jax2onnx", reason="the converter is not installed: pip install -e '.[onnx]'")
pytest.importorskip("onnxruntime", reason="not installed: pip install -e '.[onnx]'")

RUNS = pathlib.Path(__file__).resolve().parents[2] / "run_folders"
EYE, VOLUME = RUNS / "eye.jpg", RUNS / "eye.npy"


# Writing it takes the converter a minute; the others take seconds.
IMO = pytest.param("imo", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [IMO, "segmenter", "semt"])
def test_a_file_says_what_the_predictor_says_of_any_number(name, exported, predictor):
    (part,) = parts_of(predictor(name))
    call = onnx_model.restored((exported(name, "onnx") / "network.onnx").read_bytes())
    for size in (1, 3):
        batch = part.example_batch(size)
        found = call(**batch)
        assert set(found) == set(part.outputs)
        for output, expected in part.original(batch).items():
            np.testing.assert_allclose(found[output], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_file_tells_its_inputs_and_outputs(exported, predictor):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported("imo", "onnx") / "network.onnx")
    onnx.checker.check_model(model, full_check=False)
    (part,) = parts_of(predictor("imo"))
    for infos, shapes in ((model.graph.input, part.inputs), (model.graph.output, part.outputs)):
        told = {}
        for info in infos:
            batch, *rest = info.type.tensor_type.shape.dim
            assert batch.dim_param == onnx_model.BATCH
            dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            told[info.name] = (tuple(d.dim_value for d in rest), dtype)
        assert told == {n: (x.shape, x.dtype) for n, x in shapes.items()}
    assert not [node for node in model.graph.node if node.op_type.startswith("Random")]


@pytest.mark.parametrize("name", [IMO, "segmenter"])
def test_the_example_says_it_of_an_eye_without_jax(
    name, exported, predictor, run_example, tmp_path
):
    files = (EYE, VOLUME) if name == "imo" else (EYE,)
    said = run_example(exported(name, "onnx"), "onnx", files, tmp_path)
    result = predictor(name).predict(*files)
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    assert mask.shape == result.mask.shape and np.mean(mask != result.mask) < 1e-3
    if result.grade_probabilities is not None:
        assert ast.literal_eval(said) == pytest.approx(result.grade_probabilities, abs=1e-4)


def test_the_example_says_it_of_a_volume_without_jax(exported, predictor, run_example, tmp_path):
    said = run_example(exported("semt", "onnx"), "onnx", (VOLUME,), tmp_path)
    result = predictor("semt").predict(VOLUME)
    assert float(said.splitlines()[0].split()[1]) == pytest.approx(result.probability, abs=1e-4)


def test_what_cannot_be_written_is_said():
    spectrum = Part(
        "network",
        {"x": jax.ShapeDtypeStruct((8,), jnp.float32)},
        lambda x: {"y": jnp.linalg.eigvals(jnp.outer(x, x)).real},
        lambda batch: batch,
    )
    with pytest.raises(ValueError, match="cannot write this network"):
        onnx_model.serialised(spectrum)
