"""The registry: every kind is found by its config, begins, says its name and where its backbone is."""

import dataclasses

import jax
import pytest

from imo_jax.models.graders import GraderConfig
from imo_jax.models.imo import SIZES as IMO_SIZES
from imo_jax.models.registry import KINDS, diffuses, kind_of
from imo_jax.models.segmenters import SegmenterConfig
from imo_jax.models.semt import SIZES as SEMT_SIZES
from imo_jax.models.variables import variable_shapes

TINY = {
    "imo": IMO_SIZES["tiny"],
    "segmenter": SegmenterConfig("unet", "tiny"),
    "grader": GraderConfig("vit", "tiny", with_oct=True),
    "semt": SEMT_SIZES["tiny"],
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind(name):
    kind, config = KINDS[name], TINY[name]
    assert kind_of(config) is kind and isinstance(config, kind.config)
    assert "tiny" in kind.sizes or all("tiny" in sizes for sizes in kind.sizes.values())
    backbone = variable_shapes(config)["params"]
    for part in kind.backbone:
        backbone = backbone[part]
    assert jax.tree.leaves(backbone)


@pytest.mark.parametrize(
    ("config", "title"),
    [
        (IMO_SIZES["convnext_tiny"], "IMO"),
        (TINY["imo"], "IMO (resnet10_w16)"),
        (TINY["segmenter"], "unet (tiny)"),
        (SegmenterConfig("unet", "tiny", encoder="mit_b0"), "unet (tiny, mit_b0)"),
        (GraderConfig("convnext"), "convnext (convnext_tiny)"),
        (SEMT_SIZES["tiny"], "multi_task"),
    ],
)
def test_titles(config, title):
    assert kind_of(config).title(config) == title


def test_what_diffuses():
    imo = TINY["imo"]
    assert diffuses(imo)
    for options in ({"refine": "single"}, {"segment": False}):
        assert not diffuses(dataclasses.replace(imo, **options))
    assert not any(diffuses(TINY[name]) for name in ("segmenter", "grader", "semt"))


def test_another_config_is_told():
    with pytest.raises(ValueError, match="dict is no config of imo, segmenter, grader, semt"):
        kind_of({})
