import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from imo_jax import losses

# Compiled, which is quicker than many small operations; one test compares with the bare functions.
cross_entropy = jax.jit(losses.segmentation_cross_entropy, static_argnames="divide_by")
dice_loss = jax.jit(losses.dice_loss)

BOTH = jnp.array([True, True])


def random_case(seed=0, eyes=4, size=8, ignored=0.2):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(eyes, size, size, 3)).astype(np.float32) * 3
    labels = rng.integers(0, 3, size=(eyes, size, size)).astype(np.int32)
    labels[rng.random(labels.shape) < ignored] = 255
    return jnp.asarray(logits), jnp.asarray(labels), jnp.asarray(rng.random(eyes) < 0.6)


def logits_for(labels, certainty=50.0):
    """Logits all but certain of `labels`."""
    return certainty * jax.nn.one_hot(labels, 3, dtype=jnp.float32)


def test_cross_entropy_by_hand():
    # Two pixels, one ignored: softmax of log([1, 2, 1]) gives the rim 1/2.
    logits = jnp.log(jnp.array([[[[1.0, 2.0, 1.0], [5.0, 1.0, 1.0]]]]))
    labels = jnp.array([[[1, 255]]], jnp.int32)
    has_mask = jnp.array([True])
    counted = cross_entropy(logits, labels, has_mask, divide_by="counted")
    diluted = cross_entropy(logits, labels, has_mask, divide_by="all")
    np.testing.assert_allclose(counted.total, np.log(2.0), rtol=1e-6)
    assert counted.count == 1.0 and diluted.count == 2.0
    np.testing.assert_allclose(losses.mean(diluted), np.log(2.0) / 2, rtol=1e-6)


def test_cross_entropy_against_scipy():
    logits, labels, has_mask = random_case()
    got = cross_entropy(logits, labels, has_mask)
    log_p = special.log_softmax(np.asarray(logits, np.float64), axis=-1)
    eye, row, column = np.nonzero((np.asarray(labels) != 255) & np.asarray(has_mask)[:, None, None])
    expected = -log_p[eye, row, column, np.asarray(labels)[eye, row, column]].sum()
    np.testing.assert_allclose(got.total, expected, rtol=1e-5)
    assert got.count == len(eye)


def test_unknown_divisor_is_refused():
    with pytest.raises(ValueError, match="'pixels'.*all.*counted"):
        losses.segmentation_count(jnp.zeros((1, 2, 2), jnp.int32), jnp.array([True]), "pixels")


@pytest.mark.parametrize("divide_by", ["counted", "all"])
def test_counts_come_from_labels_alone(divide_by):
    logits, labels, has_mask = random_case(3)
    ce = cross_entropy(logits, labels, has_mask, divide_by=divide_by)
    assert ce.count == losses.segmentation_count(labels, has_mask, divide_by)
    dice = dice_loss(logits, labels, has_mask)
    assert dice.count == losses.dice_count(labels, has_mask)


@pytest.mark.parametrize("loss", [cross_entropy, dice_loss])
def test_uneven_shards_add_up_to_the_whole(loss):
    logits, labels, _ = random_case(1, eyes=5)
    has_mask = jnp.array([True, False, False, True, True])
    whole = loss(logits, labels, has_mask)
    parts = [loss(logits[s], labels[s], has_mask[s]) for s in (slice(0, 1), slice(1, 5))]
    np.testing.assert_allclose(losses.add(*parts), whole, rtol=1e-5)
    assert parts[0].count != parts[1].count
    nothing = loss(logits[1:3], labels[1:3], has_mask[1:3])
    assert nothing == losses.Sum(jnp.float32(0), jnp.float32(0))


@pytest.mark.parametrize("loss", [cross_entropy, dice_loss])
def test_gradient_is_zero_where_there_is_no_label_and_finite_everywhere(loss):
    logits, labels, _ = random_case(2)
    has_mask = jnp.array([True, False, True, True])
    labels = labels.at[3].set(255)  # an eye with a mask of nothing but ignored pixels
    slope = np.asarray(jax.grad(lambda x: losses.mean(loss(x, labels, has_mask)))(logits))
    assert np.isfinite(slope).all()
    without = (np.asarray(labels) == 255) | ~np.asarray(has_mask)[:, None, None]
    assert (slope[without] == 0).all()
    assert (np.abs(slope[~without]).sum(axis=-1) > 0).all()


@pytest.mark.parametrize(
    ("loss", "eager"),
    [(cross_entropy, losses.segmentation_cross_entropy), (dice_loss, losses.dice_loss)],
)
def test_jit_equals_eager_and_bfloat16_logits_give_float32(loss, eager):
    case = random_case(4)
    np.testing.assert_allclose(loss(*case), eager(*case), rtol=1e-5)
    half = loss(case[0].astype(jnp.bfloat16), *case[1:])
    assert half.total.dtype == half.count.dtype == jnp.float32
    np.testing.assert_allclose(half, loss(*case), rtol=2e-2)


def test_dice_is_zero_when_right_and_near_one_when_disjoint():
    labels = jnp.zeros((1, 8, 8), jnp.int32).at[:, 1:7, 1:7].set(1).at[:, 3:5, 3:5].set(2)
    right = dice_loss(logits_for(labels), labels, jnp.array([True]))
    np.testing.assert_allclose(right.total, 0.0, atol=1e-6)
    nowhere = logits_for(jnp.zeros_like(labels))
    wrong = dice_loss(nowhere, labels, jnp.array([True]), smooth=1e-6)
    np.testing.assert_allclose(wrong.total, 1.0, atol=1e-5)


def test_dice_by_hand():
    # Truth: rim rim cup background. Predicted: rim cup cup rim.
    labels = jnp.array([[[1, 1, 2, 0]]], jnp.int32)
    logits = logits_for(jnp.array([[[1, 2, 2, 1]]], jnp.int32))
    got = dice_loss(logits, labels, jnp.array([True]), smooth=1.0)
    rim, cup, disc = (2 + 1) / (4 + 1), (2 + 1) / (3 + 1), (6 + 1) / (7 + 1)
    np.testing.assert_allclose(got.total, 1 - (rim + cup + disc) / 3, rtol=1e-6)
    sharper = dice_loss(logits, labels, jnp.array([True]), smooth=1e-6)
    np.testing.assert_allclose(sharper.total, 1 - (2 / 4 + 2 / 3 + 6 / 7) / 3, rtol=1e-5)


def test_dice_leaves_ignored_pixels_out_of_both_sums():
    labels = jnp.array([[[1, 2, 255, 255]]], jnp.int32)
    wild = logits_for(jnp.array([[[1, 2, 1, 2]]], jnp.int32))
    got = dice_loss(wild, labels, jnp.array([True]))
    np.testing.assert_allclose(got.total, 0, atol=1e-6)


def test_dice_leaves_empty_regions_out():
    # Eye 0 has no rim: cup (Dice 1) and disc (2*2/(3+2)) remain. Eye 1 has no disc at all.
    labels = jnp.array([[[2, 2, 0, 0]], [[0, 0, 0, 0]]], jnp.int32)
    logits = logits_for(jnp.array([[[2, 2, 1, 0]], [[1, 1, 2, 0]]], jnp.int32))
    got = dice_loss(logits, labels, BOTH, smooth=1e-6)
    np.testing.assert_allclose(got.total, (0 + 1 - 4 / 5) / 2, rtol=1e-5)
    assert got.count == 1.0
