import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax import losses

# Compiled, which is quicker than many small operations; one test compares with the bare functions.
cross_entropy, ordinal = (
    jax.jit(loss, static_argnames="class_weights")
    for loss in (losses.grading_cross_entropy, losses.grading_ordinal)
)
LOSSES = [cross_entropy, ordinal]
# Softmax probabilities 1/8, 2/8, 5/8.
LOGITS = jnp.log(jnp.array([[1.0, 2.0, 5.0]]))
TRUE = jnp.array([True])


def grade(*values):
    return jnp.array(values, jnp.int32)


def test_cross_entropy_by_hand():
    got = cross_entropy(LOGITS, grade(1), TRUE)
    np.testing.assert_allclose(got, (np.log(4.0), 1.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "expected"),
    [(0, -np.log(1 / 8) - np.log(3 / 8)),
     (1, -np.log(7 / 8) - np.log(3 / 8)),
     (2, -np.log(7 / 8) - np.log(5 / 8))],
)  # fmt: skip
def test_ordinal_by_hand(y, expected):
    got = ordinal(LOGITS, grade(y), TRUE)
    np.testing.assert_allclose(got, (expected, 1.0), rtol=1e-5)


def test_ordinal_of_two_grades_is_the_cross_entropy():
    logits = jax.random.normal(jax.random.key(0), (5, 2))
    y, has = grade(0, 1, 1, 0, 1), jnp.ones(5, bool)
    np.testing.assert_allclose(
        ordinal(logits, y, has), cross_entropy(logits, y, has),
        rtol=1e-5,
    )  # fmt: skip


def test_ordinal_punishes_the_farther_mistake():
    far, near = jnp.array([[0.0, 0.0, 9.0]]), jnp.array([[0.0, 9.0, 0.0]])
    cost = [float(ordinal(x, grade(0), TRUE).total) for x in (far, near)]
    assert cost[0] > cost[1] + 5
    flat = [float(cross_entropy(x, grade(0), TRUE).total) for x in (far, near)]
    assert flat[0] == flat[1]


@pytest.mark.parametrize("loss", LOSSES)
def test_class_weights_weigh_total_and_count(loss):
    logits = jnp.concatenate([LOGITS, LOGITS])
    y, has, weights = grade(0, 2), jnp.array([True, True]), (3.0, 1.0, 0.5)
    each = [loss(LOGITS, grade(k), TRUE).total for k in (0, 2)]
    got = loss(logits, y, has, class_weights=weights)
    np.testing.assert_allclose(got.total, 3.0 * each[0] + 0.5 * each[1], rtol=1e-6)
    assert got.count == 3.5 == losses.grading_count(y, has, class_weights=weights)
    assert losses.grading_count(y, has) == 2.0
    with pytest.raises(ValueError, match="2 class weights for 3 grades"):
        loss(logits, y, has, class_weights=(1.0, 1.0))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("filler", [-1, 0, 7, 255])
def test_missing_grades_add_nothing_and_have_no_gradient(loss, filler):
    logits = jnp.concatenate([LOGITS, 1e4 * LOGITS])
    y, has = grade(1, filler), jnp.array([True, False])
    weights = (1.0, 2.0, 1.0)
    got = loss(logits, y, has, class_weights=weights)
    np.testing.assert_allclose(got, loss(LOGITS, grade(1), TRUE, class_weights=weights))
    slope = jax.grad(lambda x: loss(x, y, has, class_weights=weights).total)(logits)
    assert np.isfinite(slope).all() and (slope[1] == 0).all() and (slope[0] != 0).all()
    nothing = jax.grad(lambda x: losses.mean(loss(x, y, jnp.array([False, False]))))(logits)
    assert (nothing == 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_uneven_shards_add_up_to_the_whole(loss):
    logits = jax.random.normal(jax.random.key(1), (6, 3))
    y, has = grade(0, 1, 2, -1, 1, 0), jnp.array([True, True, False, False, True, True])
    whole = loss(logits, y, has, class_weights=(1.0, 2.0, 5.0))
    parts = [
        loss(logits[s], y[s], has[s], class_weights=(1.0, 2.0, 5.0))
        for s in (slice(0, 2), slice(2, 4), slice(4, 6))
    ]
    np.testing.assert_allclose(losses.add(*parts), whole, rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_extreme_logits_stay_finite_and_bfloat16_is_taken(loss):
    logits = jnp.array([[-3e4, 0.0, 3e4]], jnp.bfloat16)
    value, slope = jax.value_and_grad(lambda x: loss(x, grade(0), TRUE).total)(logits)
    assert value.dtype == jnp.float32 and np.isfinite(value) and value > 1e4
    assert np.isfinite(slope.astype(jnp.float32)).all()


@pytest.mark.parametrize(
    ("compiled", "eager"),
    [(cross_entropy, losses.grading_cross_entropy), (ordinal, losses.grading_ordinal)],
)
def test_jit_equals_eager(compiled, eager):
    arguments = (LOGITS, grade(2), TRUE)
    np.testing.assert_allclose(compiled(*arguments), eager(*arguments), rtol=1e-6)


def test_merged_grades_by_hand():
    """P(normal) is 1/8, so that of glaucoma 7/8; an eye of which nothing is known is left out."""
    logits = jnp.repeat(LOGITS, 3, axis=0)
    got = losses.merged_grading(logits, grade(0, 1, 1), jnp.array([True, True, False]))
    np.testing.assert_allclose(got, (np.log(8) + np.log(8 / 7), 2.0), rtol=1e-6)


def test_merged_grades_ask_for_a_sum_only():
    """Between the grades above normal the gradient follows their own probabilities."""
    slope = jax.grad(lambda z: losses.merged_grading(z, grade(1), TRUE).total)(LOGITS)
    np.testing.assert_allclose(slope, [[1 / 8, -2 / 56, -5 / 56]], rtol=1e-5)
