"""IMO's objective: draws, noised labels and losses alone, then whole training steps."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from imo_jax import losses
from imo_jax.diffusion.schedule import alpha_sigma, log_snr
from imo_jax.labels import IGNORE
from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.train import parallel
from imo_jax.train.imo_objective import Draws, ImoObjective, ObjectiveConfig
from imo_jax.train.keys import example_keys
from imo_jax.train.packing import unpack
from imo_jax.train.state import create
from imo_jax.train.step import train_step
from imo_jax.train.weight_decay import kernels_only

MODEL = IMOConfig(
    backbone_depths=(1, 1, 1, 2), backbone_widths=(8, 8, 8, 8), drop_path=0.5, feature_dim=8,
    norm_groups=2, oct_slices=4, oct_blocks=1, channel_attention_reduction=2, grade_hidden=8,
    grade_blocks=1, se_reduction=4, decoder_layers=1, decoder_heads=2, decoder_mlp=8,
    time_frequencies=2, time_dim=8, auxiliary_head=True, signal_scale=1.0,
)  # fmt: skip
SIZE, GRID, EYES = 32, 8, 4


def make_batch():
    """Four eyes; one without OCT, one without mask, one without grade; some ignored pixels."""
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 3, (EYES, SIZE, SIZE)).astype(np.int32)
    mask[0, :8] = IGNORE
    return {
        "fundus": rng.integers(0, 256, (EYES, SIZE, SIZE, 3)).astype(np.uint8),
        "oct": rng.integers(0, 256, (EYES, 8, 8, 4)).astype(np.uint8),
        "mask": mask,
        "grade": np.array([0, 1, 2, 1], np.int32),
        "has_oct": np.array([True, True, False, True]),
        "has_mask": np.array([True, False, True, True]),
        "has_grade": np.array([True, True, True, False]),
        "valid": np.ones(EYES, bool),
        "index": np.arange(EYES, dtype=np.uint32),
    }


BATCH = make_batch()


@functools.cache
def variables(model=MODEL):
    """Random variables without a compilation."""
    volume = np.zeros((1, 8, 8, 4), np.float32) if model.use_oct else None
    fundus = np.zeros((1, SIZE, SIZE, 3), np.float32)
    shapes = jax.eval_shape(lambda: IMO(model).init(jax.random.key(0), fundus, volume))
    rng = np.random.default_rng(1)
    draw = lambda leaf: (0.5 * rng.normal(size=leaf.shape)).astype(np.float32)
    ones = lambda leaf: np.ones(leaf.shape, np.float32)
    return {
        "params": jax.tree.map(draw, shapes["params"]),
        "batch_stats": jax.tree.map(ones, shapes["batch_stats"]),
    }


def objective(model=MODEL, train_steps=10, **settings):
    return ImoObjective(model, ObjectiveConfig(**settings), train_steps)


def draw(step=0, **settings):
    keys = example_keys(jax.random.key(7), jnp.int32(step), BATCH["index"])
    made = objective(**settings)._draw(keys, (GRID, GRID, 8), jnp.int32(step))
    return jax.tree.map(np.asarray, made)


def test_times_and_noises():
    draws = draw()
    assert draws.time.shape == (EYES,) and draws.noise.shape == (EYES, GRID, GRID, 8)
    assert (draws.time >= 0).all() and (draws.time < 0.999).all()
    assert len(np.unique(draws.time)) == EYES
    assert abs(draws.noise.mean()) < 0.1 and abs(draws.noise.std() - 1) < 0.1
    assert abs(np.mean(draws.noise * draws.start_noise)) < 0.1  # independent
    assert (draw(max_time=0.25).time < 0.25).all()
    np.testing.assert_allclose(draw(max_time=0.25).time, draws.time / 0.999 * 0.25, rtol=1e-5)


def test_who_is_self_aligned():
    assert not draw(self_aligned=0.0).aligned.any()
    assert draw(self_aligned=1.0).aligned.all()
    late = {"self_aligned": 1.0, "self_aligned_from": 0.5}  # of 10 steps
    assert not draw(step=4, **late).aligned.any()
    assert draw(step=5, **late).aligned.all()


def some_draws(aligned=False):
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(2, EYES, GRID, GRID, 8)).astype(np.float32)
    time = np.array([0.1, 0.4, 0.6, 0.9], np.float32)
    return Draws(time, noise[0], np.full(EYES, aligned), noise[1])


FEATURE = np.random.default_rng(3).normal(size=(EYES, GRID, GRID, 8)).astype(np.float32)


def test_noised_labels_by_hand():
    """Equation 4 on the embedding of every fourth pixel; unknown pixels have a row of their own."""
    draws = some_draws()
    x_t, level = objective().noised_labels(variables(), FEATURE, BATCH, draws)
    labels = BATCH["mask"][:, ::4, ::4].copy()
    labels[labels == IGNORE] = 3
    labels[1] = 3  # has no mask
    table = variables()["params"]["label_embedding"]
    x0 = (2 / (1 + np.exp(-table)) - 1)[labels]
    alpha, sigma = (np.asarray(v)[:, None, None, None] for v in alpha_sigma(log_snr(draws.time)))
    np.testing.assert_allclose(x_t, alpha * x0 + sigma * draws.noise, atol=1e-5)
    np.testing.assert_allclose(level, log_snr(draws.time), atol=1e-6)


def test_labels_of_whole_cells_are_noised_by_choice():
    draws = some_draws()._replace(noise=np.zeros((EYES, GRID, GRID, 8), np.float32))
    x_t, level = objective(label_grid="mean").noised_labels(variables(), FEATURE, BATCH, draws)
    labels = np.where(BATCH["has_mask"][:, None, None], BATCH["mask"], IGNORE)
    x0 = IMO(MODEL).apply(variables(), labels, method="embed_cells")
    alpha = np.asarray(alpha_sigma(level)[0])[:, None, None, None]
    np.testing.assert_allclose(x_t, alpha * x0, atol=1e-6)


@pytest.mark.parametrize("embedding", ["hard", "expected"])
def test_self_aligned_noises_the_own_prediction(embedding):
    model = dataclasses.replace(MODEL, label_embedding=embedding)
    network = IMO(model)
    draws = some_draws(aligned=True)._replace(aligned=np.array([True, False, True, False]))
    noised, unaligned = (
        jax.jit(objective(model, self_aligned=share).noised_labels) for share in (0.5, 0.0)
    )
    x_t, level = noised(variables(), FEATURE, BATCH, draws)
    plain, _ = unaligned(variables(), FEATURE, BATCH, draws)
    np.testing.assert_array_equal(x_t[1::2], plain[1::2])
    start = jnp.full(EYES, log_snr(jnp.float32(1.0)))
    denoise = jax.jit(functools.partial(network.apply, method="denoise"))
    logits = denoise(variables(), FEATURE, draws.start_noise, start)
    table = variables()["params"]["label_embedding"]
    rows = (2 / (1 + np.exp(-table)) - 1)[:3]
    weights = np.asarray(jax.nn.softmax(logits, axis=-1))
    if embedding == "hard":
        weights = np.eye(3, dtype=np.float32)[weights.argmax(axis=-1)]
    alpha, sigma = (np.asarray(v)[:, None, None, None] for v in alpha_sigma(level))
    expected = alpha * (weights @ rows) + sigma * draws.noise
    np.testing.assert_allclose(x_t[::2], expected[::2], atol=1e-4)


def test_self_alignment_has_no_gradient_through_the_prediction():
    """Only the embedding learns from x_t; the decoder's and the feature's share is cut off."""
    draws = some_draws(aligned=True)
    # softmax embedding: a gradient would get through if it were let
    model = dataclasses.replace(MODEL, label_embedding="expected")

    def total(params, feature):
        own = objective(model, self_aligned=1.0)
        x_t, _ = own.noised_labels(variables() | {"params": params}, feature, BATCH, draws)
        return jnp.sum(jnp.square(x_t))

    gradients = jax.jit(jax.grad(total, (0, 1)))(variables()["params"], FEATURE)
    params, feature = jax.device_get(gradients)
    assert np.abs(feature).max() == 0
    assert np.abs(params.pop("label_embedding")).max() > 0
    assert all(np.abs(leaf).max() == 0 for leaf in jax.tree.leaves(params))


def test_single_pass_decoder_needs_no_labels():
    model = dataclasses.replace(MODEL, refine="single")
    made = [
        objective(model).denoised_logits(
            variables(model), FEATURE, {}, BATCH | {"mask": mask}, draws
        )[0]
        for mask, draws in ((BATCH["mask"], some_draws()), (BATCH["mask"] * 0, None))
    ]
    np.testing.assert_array_equal(*made)


LOGITS = {
    "segmentation": np.random.default_rng(4).normal(size=(EYES, SIZE, SIZE, 3)).astype(np.float32),
    "auxiliary": np.random.default_rng(5).normal(size=(EYES, SIZE, SIZE, 3)).astype(np.float32),
    "grade": np.random.default_rng(6).normal(size=(EYES, 3)).astype(np.float32),
}


def totals_of(own):
    auxiliary = (LOGITS["auxiliary"],)
    return own._losses.totals(BATCH, **{**LOGITS, "auxiliary": auxiliary})


def test_terms_are_the_losses():
    own = objective()
    totals, counts = totals_of(own), own.counts(BATCH)
    masks, grades = (BATCH["mask"], BATCH["has_mask"]), (BATCH["grade"], BATCH["has_grade"])
    expected = {
        "segmentation": losses.segmentation_cross_entropy(LOGITS["segmentation"], *masks),
        "dice": losses.dice_loss(LOGITS["segmentation"], *masks),
        "auxiliary": losses.segmentation_cross_entropy(LOGITS["auxiliary"], *masks),
        "grade": losses.grading_cross_entropy(LOGITS["grade"], *grades),
    }
    assert set(totals) == set(counts) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose((totals[name], counts[name]), value, rtol=1e-6)
    assert counts["segmentation"] == 3 * SIZE * SIZE - 8 * SIZE  # three masks, ignored rows
    assert counts["grade"] == 3
    assert own.weights == {"segmentation": 1.0, "dice": 1.0, "auxiliary": 0.4, "grade": 1.0}


def test_further_terms():
    """Dice of the auxiliary heads and the losses at the decoder's grid, each weighted."""
    model = dataclasses.replace(MODEL, fine_stride=2, fine_dim=8)
    own = objective(model, auxiliary_dice_weight=0.5, coarse_weight=0.3, dice_weight=2.0)
    assert own.weights == {
        "segmentation": 1.0, "dice": 2.0, "auxiliary": 0.4, "auxiliary_dice": 0.5, "coarse": 0.3,
        "coarse_dice": 0.6, "grade": 1.0,
    }  # fmt: skip
    given = {**LOGITS, "auxiliary": (LOGITS["auxiliary"],), "coarse": (-LOGITS["auxiliary"],)}
    totals, counts = own._losses.totals(BATCH, **given), own.counts(BATCH)
    masks = BATCH["mask"], BATCH["has_mask"]
    expected = {
        "auxiliary_dice": losses.dice_loss(LOGITS["auxiliary"], *masks),
        "coarse": losses.segmentation_cross_entropy(-LOGITS["auxiliary"], *masks),
        "coarse_dice": losses.dice_loss(-LOGITS["auxiliary"], *masks),
    }
    for name, value in expected.items():
        np.testing.assert_allclose((totals[name], counts[name]), value, rtol=1e-6)
    assert set(totals) == set(counts) == set(own.weights)


def test_released_normalisation():
    assert objective(divide_by="all").counts(BATCH)["segmentation"] == 3 * SIZE * SIZE


def test_grade_settings():
    base = totals_of(objective())["grade"]
    assert abs(totals_of(objective(grade_loss="ordinal"))["grade"] - base) > 1e-3
    weighted = objective(grade_class_weights=(1.0, 2.0, 4.0))
    assert weighted.counts(BATCH)["grade"] == 7
    assert abs(totals_of(weighted)["grade"] - base) > 1e-3


@pytest.mark.parametrize(
    ("model", "settings", "terms"),
    [
        ({}, {"dice_weight": 0.0}, {"segmentation", "auxiliary", "grade"}),
        ({}, {"segmentation_weight": 0.0, "auxiliary_weight": 0.0}, {"dice", "grade"}),
        ({"auxiliary_head": False}, {}, {"segmentation", "dice", "grade"}),
        ({"grade": False}, {}, {"segmentation", "dice", "auxiliary"}),
        ({"segment": False, "auxiliary_head": False}, {}, {"grade"}),
    ],
)
def test_only_what_has_a_weight_and_a_head_is_learned(model, settings, terms):
    own = objective(dataclasses.replace(MODEL, **model), **settings)
    assert set(own.weights) == set(own.counts(BATCH)) == terms


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dice_weight": -1.0}, "dice_weight -1.0 is negative"),
        ({"self_aligned": 2.0, "max_time": -1.0}, "max_time.*self_aligned"),
        ({"divide_by": "none"}, "all"),
        ({"grade_loss": "mse"}, "ordinal"),
        ({"grade_class_weights": (1.0,)}, "1 values for 3 grades"),
        ({"segmentation_weight": 0.0, "dice_weight": 0.0, "auxiliary_weight": 0.0,
          "grade_weight": 0.0}, "nothing to learn"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        objective(**settings)


def training_step(model=MODEL, **settings):
    """Plain gradient descent, whose update shows the gradient and nothing else."""
    own = objective(model, **settings)
    sgd = optax.sgd(0.1)
    step = functools.partial(
        train_step, objective=own, optimiser=sgd, rate=lambda k: 0.1, key=jax.random.key(5)
    )
    return create(variables(model), sgd, decay_mask=kernels_only, keep_ema=False), step


def test_every_parameter_of_the_finer_network_learns():
    model = dataclasses.replace(
        MODEL, fine_stride=1, fine_dim=8, merged_conv=True, grade_shapes=True, grade_gradient=0.5
    )
    state, step = training_step(model, label_grid="mean", auxiliary_dice_weight=0.4)
    new, _ = jax.jit(step)(state, jax.tree.map(lambda x: x[None], BATCH))
    moved = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()),
        unpack(jax.device_get(new.params)),
        variables(model)["params"],
    )
    still = [path for path, x in jax.tree_util.tree_leaves_with_path(moved) if x == 0]
    assert not still, f"no gradient reaches {still}"


def test_two_devices_give_the_update_of_one():
    """Everything on: dropout, drop-path, batch norms, self-alignment, labels missing unevenly."""
    state, step = training_step(self_aligned=0.5)
    step = parallel.over_devices(functools.partial(step, axis_name=parallel.AXIS))
    results = []
    for devices in (1, 2):
        new, metrics = step(parallel.replicate(state, devices), parallel.shard(BATCH, devices))
        results.append((parallel.unreplicate(new), parallel.fetch([metrics])[0]))
    (one, metrics_one), (two, metrics_two) = results
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    for name, value in metrics_one.items():
        np.testing.assert_allclose(metrics_two[name], value, rtol=2e-6, err_msg=name)
    assert set(metrics_one) == {
        "loss", "loss_segmentation", "loss_dice", "loss_auxiliary", "loss_grade",
        "grade_accuracy", "gradient_norm", "param_norm", "update_norm", "learning_rate",
    }  # fmt: skip
    moved = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()),
        unpack(jax.device_get(one.params)),
        variables()["params"],
    )
    still = [path for path, x in jax.tree_util.tree_leaves_with_path(moved) if x == 0]
    assert not still, f"no gradient reaches {still}"


def test_evaluation_is_deterministic_but_for_the_draws():
    own = objective()
    keys = example_keys(jax.random.key(7), jnp.int32(0), BATCH["index"])
    v = variables()
    totals = jax.jit(
        lambda train: own.totals(
            v["params"], v["batch_stats"], BATCH, keys, step=jnp.int32(0), train=train,
            axis_name=None,
        ),
        static_argnums=0,
    )  # fmt: skip
    still, moved = totals(False), totals(True)
    jax.tree.map(np.testing.assert_array_equal, still.batch_stats, v["batch_stats"])
    first = jax.tree.leaves(moved.batch_stats)[0]
    assert np.abs(first - jax.tree.leaves(v["batch_stats"])[0]).max() > 1e-3
    assert abs(still.losses["grade"] - moved.losses["grade"]) > 1e-4  # dropout


def test_fundus_only_and_grading_only_steps():
    small = dataclasses.replace(MODEL, use_oct=False, segment=False, auxiliary_head=False)
    state, step = training_step(small)
    batch = {name: value[None] for name, value in BATCH.items() if name != "oct"}
    new, metrics = jax.jit(step)(state, batch)
    assert float(metrics["loss"]) == float(metrics["loss_grade"])
    assert int(new.step) == 1
