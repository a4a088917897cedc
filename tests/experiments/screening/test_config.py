"""The settings of a screening run."""

import dataclasses

import pytest

from experiments.screening.config import ScreeningConfig
from experiments.screening.methods import METHODS
from experiments.screening.presets import PRESETS
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
