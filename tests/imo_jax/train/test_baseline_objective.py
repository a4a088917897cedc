"""The objective of segmenters and graders, on networks of a few channels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax import losses
from imo_jax.backbones import resnet
from imo_jax.backbones.table import ENCODERS
from imo_jax.layers.resize import bilinear
from imo_jax.models.graders import config as graders
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.inputs import normalise
from imo_jax.models.registry import kind_of
from imo_jax.models.segmenters import sizes as segmenters
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.train.baseline_objective import BaselineObjective
from imo_jax.train.eye_losses import GradeLossConfig, MaskLossConfig
from imo_jax.train.keys import example_keys

EYES, SIZE = 4, 32


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch):
    """A size of each kind that compiles in a moment."""
    monkeypatch.setitem(ENCODERS, "small", resnet.encoder("basic", (1, 1), 4))
    monkeypatch.setitem(graders.SIZES["resnet"], "small", "small")
    segmenter = segmenters.UNetPlusPlusSize((2, 2, 2, 2, 2))
    monkeypatch.setitem(segmenters.SIZES["unetpp"], "small", segmenter)


def make_batch():
    """Four eyes; one without mask, one without grade."""
    rng = np.random.default_rng(0)
    return {
        "fundus": rng.integers(0, 256, (EYES, SIZE, SIZE, 3)).astype(np.uint8),
        "mask": rng.integers(0, 3, (EYES, SIZE, SIZE)).astype(np.int32),
        "grade": np.array([0, 1, 2, 1], np.int32),
        "has_mask": np.array([True, False, True, True]),
        "has_grade": np.array([True, True, True, False]),
        "valid": np.ones(EYES, bool),
        "index": np.arange(EYES, dtype=np.uint32),
    }


BATCH = make_batch()


def variables(model):
    """Random variables without a compilation."""
    fundus = jnp.zeros((1, SIZE, SIZE, 3), jnp.float32)
    init = functools.partial(kind_of(model).module(model).init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), fundus)
    rng = np.random.default_rng(1)
    return {
        "params": jax.tree.map(
            lambda x: (0.3 * rng.normal(size=x.shape)).astype(np.float32), shapes["params"]
        ),
        "batch_stats": jax.tree.map(
            lambda x: np.ones(x.shape, np.float32), shapes.get("batch_stats", {})
        ),
    }


def totals(model, config, batch=BATCH):
    v = variables(model)
    keys = example_keys(jax.random.key(0), jnp.int32(0), batch["index"])
    own = BaselineObjective(model, config)
    found = jax.jit(
        lambda params, stats: own.totals(
            params, stats, batch, keys, step=jnp.int32(0), train=False, axis_name=None
        )
    )(v["params"], v["batch_stats"])
    return own, found, v


def test_a_segmenter_learns_masks_alone():
    model = SegmenterConfig(network="unetpp", size="small", auxiliary=True)
    own, found, v = totals(model, MaskLossConfig(dice_weight=2.0))
    assert own.weights == {"segmentation": 1.0, "dice": 2.0, "auxiliary": 0.4}
    assert set(own.counts(BATCH)) == set(found.losses) == set(own.weights)
    apply = jax.jit(functools.partial(kind_of(model).module(model).apply, train=False))
    outputs = apply(v, normalise({"fundus": jnp.asarray(BATCH["fundus"])})["fundus"])

    @jax.jit
    def cross_entropy(logits):
        logits = bilinear(logits, (SIZE, SIZE))
        return losses.segmentation_cross_entropy(logits, BATCH["mask"], BATCH["has_mask"]).total

    expected = cross_entropy(outputs["logits"])
    np.testing.assert_allclose(found.losses["segmentation"], expected, rtol=1e-5)
    heads = [value for name, value in outputs.items() if name.startswith("auxiliary_logits")]
    assert len(heads) > 1
    each = [cross_entropy(head) for head in heads]
    np.testing.assert_allclose(found.losses["auxiliary"], np.mean(each), rtol=1e-5)


def test_a_grader_learns_grades_alone():
    model = GraderConfig(network="resnet", size="small", layout_size=SIZE)
    own, found, v = totals(model, GradeLossConfig(grade_class_weights=(1.0, 2.0, 3.0)))
    assert own.weights == {"grade": 1.0}
    assert own.counts(BATCH)["grade"] == 1 + 2 + 3
    assert float(found.extras["grade_accuracy"].count) == 3
    said = kind_of(model).predict(v, {"fundus": BATCH["fundus"]}, model)
    p = np.asarray(said["grade_probabilities"])[np.arange(3), [0, 1, 2]]
    expected = -(np.log(p) * [1, 2, 3]).sum()
    np.testing.assert_allclose(found.losses["grade"], expected, rtol=1e-4)


def test_a_prediction_of_a_segmenter_is_one_sample():
    model = SegmenterConfig(network="unetpp", size="small")
    v = variables(model)
    said = kind_of(model).predict(v, {"fundus": BATCH["fundus"]}, model)
    assert said["probabilities"].shape == (EYES, SIZE, SIZE, 3)
    assert said["sample_probabilities"].shape == (EYES, 1, SIZE, SIZE, 3)
    np.testing.assert_allclose(said["probabilities"].sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(said["mutual_information"], 0, atol=1e-6)
    assert float(said["entropy"].max()) <= np.log(3) + 1e-5
