"""Segmenters of other libraries become runs."""

import jax
import numpy as np
import pytest

from experiments import segmenter
from experiments.config import SegmenterRunConfig
from experiments.presets import SEGMENTER_PRESETS
from experiments.program_settings import configured
from experiments.run_import import run_import, segmenter_run
from experiments.runtime import UserError
from experiments.saved_run import restore_run
from imo_jax.models.variables import variable_shapes
from imo_jax.weights.family import take
from imo_jax.weights.segmenters import SEGMENTERS

GIVEN = {"network": "segformer", "size": "tiny", "region": "photograph"}


@pytest.fixture
def variables():
    """Random ones of a tiny SegFormer."""
    rng = np.random.default_rng(0)
    model = segmenter_config().model
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(x.dtype), variable_shapes(model))


def segmenter_config():
    return configured(SEGMENTER_PRESETS["default"](), {}, GIVEN)


def saved(variables, folder):
    """A file as transformers names its arrays."""
    file = folder / "segformer.npz"
    np.savez(file, **take(variables, SEGMENTERS["segformer"], "huggingface", at=()))
    return str(file)


def test_a_segformer_with_its_head_is_a_run_of_step_0(variables, tmp_path, capsys):
    file = saved(variables, tmp_path)
    run_import(*segmenter_run(SEGMENTER_PRESETS["default"](), GIVEN, file), file, str(tmp_path / "run"))
    said = capsys.readouterr().err
    assert "SegFormer" in said and f"{file} is now the run {tmp_path / 'run'}" in said
    run = restore_run(str(tmp_path / "run"), {}, "best", SegmenterRunConfig)
    assert run.step == 0 and run.config == segmenter_config()
    jax.tree.map(np.testing.assert_array_equal, run.variables["params"], variables["params"])
    with pytest.raises(UserError, match="holds a trained run already"):
        config, arrays = segmenter_run(SEGMENTER_PRESETS["default"](), GIVEN, file)
        run_import(config, arrays, file, str(tmp_path / "run"))


def test_a_file_of_another_size_or_without_a_head_is_named(variables, tmp_path):
    file = saved(variables, tmp_path)
    with pytest.raises(UserError, match=f"{file}: .*SegFormer"):
        segmenter_run(SEGMENTER_PRESETS["default"](), {**GIVEN, "network": "unet"}, file)
    arrays = dict(np.load(file))
    del arrays["decode_head.classifier.weight"]
    np.savez(file, **arrays)
    with pytest.raises(UserError, match="missing: decode_head.classifier.weight"):
        segmenter_run(SEGMENTER_PRESETS["default"](), GIVEN, file)


def test_two_stages_need_two_networks(variables, tmp_path):
    file = saved(variables, tmp_path)
    config, arrays = segmenter_run(
        SEGMENTER_PRESETS["default"](), {**GIVEN, "region": "disc"}, file
    )
    with pytest.raises(UserError, match="region=disc needs two"):
        run_import(config, arrays, file, str(tmp_path / "run"))


def test_the_segmenters_program_imports():
    assert "import" in segmenter.PROGRAM.modes
