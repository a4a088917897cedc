"""Shapes that would be broadcast are refused: the loss would be another one without a word."""

import jax.numpy as jnp
import pytest

from imo_jax import losses
from imo_jax.diffusion.forward import add_noise
from imo_jax.losses.grading import merged_grading
from imo_jax.losses.screening import binary_cross_entropy, squared_error

FOUR = jnp.ones(4, bool)
SCREENED = binary_cross_entropy, squared_error


@pytest.mark.parametrize("loss", [losses.segmentation_cross_entropy, losses.dice_loss])
@pytest.mark.parametrize(
    ("labels", "has_mask"), [((1, 8, 8), 4), ((4, 8, 1), 4), ((4, 8, 8), 1)], ids=str
)
def test_labels_of_pixels(loss, labels, has_mask):
    logits = jnp.zeros((4, 8, 8, 3))
    loss(logits, jnp.zeros((4, 8, 8), jnp.int32), FOUR)
    with pytest.raises(AssertionError, match="shape"):
        loss(logits, jnp.zeros(labels, jnp.int32), FOUR[:has_mask])


@pytest.mark.parametrize(
    "loss", [losses.grading_cross_entropy, losses.grading_ordinal, merged_grading]
)
@pytest.mark.parametrize(("grade", "known"), [(1, 4), (4, 1)])
def test_grades(loss, grade, known):
    loss(jnp.zeros((4, 3)), jnp.zeros(4, jnp.int32), FOUR)
    with pytest.raises(AssertionError, match="shape"):
        loss(jnp.zeros((4, 3)), jnp.zeros(grade, jnp.int32), FOUR[:known])


@pytest.mark.parametrize("loss", SCREENED)
@pytest.mark.parametrize(("label", "counted"), [(1, 4), (4, 1)])
def test_classes_and_visual_fields(loss, label, counted):
    loss(jnp.zeros(4), jnp.zeros(4), FOUR)
    with pytest.raises(AssertionError, match="shape"):
        loss(jnp.zeros(4), jnp.zeros(label), FOUR[:counted])


@pytest.mark.parametrize(("noise", "levels"), [(1, 4), (4, 1)])
def test_noise(noise, levels):
    x0 = jnp.zeros((4, 8, 8, 2))
    add_noise(x0, x0, jnp.zeros(4))
    with pytest.raises(AssertionError, match="shape"):
        add_noise(x0, x0[:noise], jnp.zeros(levels))
