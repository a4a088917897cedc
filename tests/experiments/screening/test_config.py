"""The settings of a screening run."""

import dataclasses

import pytest

from experiments.screening.config import ScreeningConfig
from experiments.screening.methods import METHODS
from experiments.screening.presets import PRESETS
from imo_jax.predictor.run import volume_settings
from imo_jax.settings.fields import replace_leaves
from imo_jax.settings.saved import from_json, to_json


@pytest.mark.parametrize("name", PRESETS)
def test_presets_come_back_from_json(name):
    config = PRESETS[name]()
    assert from_json(ScreeningConfig, to_json(config, "semt"), "semt") == config


def test_every_method_has_its_grid():
    for name, method in METHODS.items():
        base = PRESETS["default"]()
        model = dataclasses.replace(base.model, network=method.network)
        config = dataclasses.replace(base, method=name, model=model)
        scan_size, cube_shape, max_scans, _ = config.grid
        assert (scan_size is None) == method.whole_volumes == (cube_shape is not None)
        assert max_scans is None
        assert config.model.input == ("cube" if method.whole_volumes else "scan")


def of_method(preset, method):
    network = METHODS[method].network
    return replace_leaves(PRESETS[preset](), {"method": method, "network": network})


def test_the_3d_resnet_sees_raw_volumes_and_the_3d_cnn_downsampled_ones():
    resnet, cnn = of_method("paper", "3d_resnet"), of_method("paper", "3d_cnn")
    assert resnet.grid[1] == (200, 1024, 200) and cnn.grid[1] == (64, 128, 64)
    assert resnet.crop == (64, 512, 96) and cnn.crop is None
    assert (resnet.accumulation, cnn.accumulation) == (8, 1)
    # What the predictor of the run's folder makes of it, one whole volume at a time.
    settings = volume_settings(resnet)
    assert settings.grid.cube_shape == (200, 1024, 200) and settings.batch_size == 1
    assert volume_settings(cnn).batch_size == cnn.evaluation.eval_batch_size


def test_in_the_small_preset_and_older_runs_both_see_the_same_cubes():
    config = of_method("default", "3d_resnet")
    assert config.grid == of_method("default", "3d_cnn").grid
    older = to_json(config, "semt")
    del older["raw"]
    assert from_json(ScreeningConfig, older, "semt").grid == config.grid


@pytest.mark.parametrize("crop", [(8, 8), (33, 8, 8)])
def test_a_part_that_is_none_is_refused(crop):
    with pytest.raises(ValueError, match=r"raw_crop=.* is no part of a volume of 32 x 64 x 32"):
        replace_leaves(of_method("default", "3d_resnet"), {"raw_crop": crop})


def test_all_problems_at_once():
    with pytest.raises(ValueError, match=r"seed=-1.*scan_size=8.*batch_size=0") as caught:
        replace_leaves(
            PRESETS["default"](), {"batch_size": 0, "scan_size": 8, "seed": -1}
        )
    assert "bootstrap" not in str(caught.value)


def test_a_method_with_another_network_is_refused():
    with pytest.raises(ValueError, match="method=2d has the network resnet, not multi_task"):
        replace_leaves(PRESETS["default"](), {"method": "2d"})


def test_pretrained_weights_are_for_two_dimensions():
    given = {"method": "3d_cnn", "network": "cnn3d", "pretrained": "file.pth"}
    with pytest.raises(ValueError, match="2-D networks"):
        replace_leaves(PRESETS["default"](), given)
