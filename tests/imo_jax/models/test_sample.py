"""Prediction: the class-space sampler, its options, its keys, its compilations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.diffusion.ddim import sampling_times
from imo_jax.diffusion.schedule import alpha_sigma, log_snr
from imo_jax.layers.resize import bilinear
from imo_jax.models.imo import IMO, sample
from imo_jax.models.imo.sample import predict, sample_logits
from imo_jax.models.inputs import normalise
from imo_jax.models.uncertainty import uncertainty

EYES, SAMPLES, GRID = 4, 2, 8
KEY = jax.random.key(5)


@pytest.fixture(scope="module")
def feature():
    return jax.random.normal(jax.random.key(1), (EYES, GRID, GRID, 8))


@pytest.fixture(scope="module")
def noise():
    return jax.random.normal(jax.random.key(2), (EYES, SAMPLES, GRID, GRID, 8))


def part(batch, eyes):
    return {name: value[eyes] for name, value in batch.items()}


def literal_ddim(config, variables, feature, noise):
    """Eq. 5 on x_t itself, a step at a time, through `IMO.denoise`: (states, logits)."""

    def method(name):
        return jax.jit(functools.partial(IMO(config).apply, variables, method=name))

    denoise, embed_labels = method("denoise"), method("embed_labels")
    embed_probabilities = method("embed_probabilities")
    states, outputs = [], []
    x = noise
    times = sampling_times(config.sampling_steps, config.time_difference, config.start_time)
    for now, following in times:
        states.append(x)
        logits = denoise(feature, x, jnp.full(len(x), log_snr(jnp.float32(now))))
        outputs.append(logits)
        if config.label_embedding == "hard":
            x0 = embed_labels(jnp.argmax(logits, axis=-1))
        else:
            x0 = embed_probabilities(jax.nn.softmax(logits, axis=-1))
        alpha, sigma = alpha_sigma(log_snr(jnp.float32(now)))
        alpha_next, sigma_next = alpha_sigma(log_snr(jnp.float32(following)))
        x = alpha_next * x0 + sigma_next * (x - alpha * x0) / sigma
    return np.stack(states), np.stack(outputs)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_embedding": "expected", "sampling_steps": 4, "time_difference": 0},
    ],
    ids=str,
)
def test_equals_ddim_written_out(small, variables, feature, noise, options):
    config = small(**options)
    ours = jax.jit(functools.partial(sample_logits, config=config))(
        variables(config), feature, noise
    )
    for k in range(SAMPLES):
        states, logits = literal_ddim(config, variables(config), feature, noise[:, k])
        np.testing.assert_allclose(ours["x_t"][:, :, k], states, atol=2e-5)
        np.testing.assert_allclose(ours["logits"][:, :, k], logits, atol=2e-5)


@pytest.fixture(scope="module")
def last_logits(small, variables, feature, noise):
    """Logits of the last step with some options changed."""

    @functools.cache
    def run(zero_x_t=False, **options):
        sampled = functools.partial(sample_logits, config=small(**options), zero_x_t=zero_x_t)
        return jax.jit(lambda *arrays: sampled(*arrays)["logits"][-1])(
            variables(small()), feature, noise
        )

    return run


@pytest.mark.parametrize(
    "options",
    [
        {"sampling_steps": 2},
        {"time_difference": 0},
        {"start_time": 0.6},
        {"signal_scale": 0.5},
        {"label_embedding": "expected"},
        {"zero_x_t": True},
    ],
    ids=str,
)
def test_every_option_of_the_sampler_matters(last_logits, options):
    assert np.abs(last_logits(**options) - last_logits()).max() > 1e-3


def test_with_x_t_zeroed_the_noise_does_not_matter(small, variables, feature, noise):
    run = jax.jit(functools.partial(sample_logits, config=small(), zero_x_t=True))
    one, other = (run(variables(small()), feature, n)["logits"] for n in (noise, 2 * noise))
    np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def config(small):
    """With time_difference 1 the last step starts from almost no noise, and samples agree."""
    return small(time_difference=0)


@pytest.fixture(scope="module")
def predicted(config, variables, batch):
    """One prediction with everything on, used by several tests."""
    return predict(
        variables(config), batch, config=config, key=KEY, samples=SAMPLES, intermediates=True
    )


def test_shapes_and_ranges(predicted):
    shapes = {name: value.shape for name, value in predicted.items()}
    assert shapes == {
        "grade_probabilities": (4, 3),
        "probabilities": (4, 32, 32, 3),
        "sample_probabilities": (4, 2, 32, 32, 3),
        "entropy": (4, 32, 32),
        "mutual_information": (4, 32, 32),
        "x_t": (3, 4, 2, 8, 8, 8),
        "x0_probabilities": (3, 4, 2, 8, 8, 3),
    }
    assert {value.dtype for value in predicted.values()} == {jnp.dtype("float32")}
    for name in ("grade_probabilities", "probabilities", "sample_probabilities"):
        np.testing.assert_allclose(predicted[name].sum(axis=-1), 1, atol=1e-5)
    assert (predicted["entropy"] <= np.log(3) + 1e-5).all()
    assert (predicted["mutual_information"] >= 0).all()
    assert predicted["mutual_information"].max() > 1e-3  # the samples do differ


def test_the_mean_is_over_the_samples(predicted):
    samples = predicted["sample_probabilities"]
    np.testing.assert_allclose(predicted["probabilities"], samples.mean(axis=1), atol=1e-6)


def test_uncertainty_by_hand():
    """Two samples that are sure of different classes: all of the entropy is between them."""
    sure = jnp.asarray([[1.0, 0.0], [0.0, 1.0]])[None, :, None, None, :]
    unsure = jnp.full((1, 2, 1, 1, 2), 0.5)
    for samples, expected in ((sure, np.log(2)), (unsure, 0.0)):
        found = uncertainty(samples)
        np.testing.assert_allclose(found["entropy"], np.log(2), atol=1e-6)
        np.testing.assert_allclose(found["mutual_information"], expected, atol=1e-6)


def test_a_batch_of_four_equals_four_batches_of_one(config, variables, batch, predicted):
    run = functools.partial(predict, variables(config), config=config, samples=SAMPLES)
    start = predicted["x_t"][0]
    for i in range(EYES):
        eye = part(batch, slice(i, i + 1))
        by_key = run(eye, key=KEY, intermediates=True)
        by_noise = run(eye, noise=start[i : i + 1])
        np.testing.assert_array_equal(by_key["x_t"][0], start[i : i + 1])
        for name in ("probabilities", "sample_probabilities", "grade_probabilities"):
            np.testing.assert_allclose(by_key[name][0], predicted[name][i], atol=1e-5)
            np.testing.assert_allclose(by_noise[name][0], predicted[name][i], atol=1e-5)


def test_a_sample_does_not_depend_on_how_many_there_are(config, variables, batch, predicted):
    one = predict(variables(config), batch, config=config, key=KEY, samples=1)
    np.testing.assert_allclose(
        one["sample_probabilities"][:, 0], predicted["sample_probabilities"][:, 0], atol=1e-5
    )


def test_a_key_fixes_the_result_and_nothing_is_compiled_again(config, variables, batch):
    run = functools.partial(predict, variables(config), config=config)
    first = run(batch, key=KEY)
    compiled = sample._predict._cache_size()
    again = run(batch, key=jax.random.key(5))
    other_key = run(batch, key=jax.random.key(6))
    other_eyes = run(part(batch, np.array([2, 3, 1, 0])), key=KEY)
    assert sample._predict._cache_size() == compiled
    np.testing.assert_array_equal(first["probabilities"], again["probabilities"])
    assert np.abs(first["probabilities"] - other_key["probabilities"]).max() > 1e-3
    # Noise follows the eye's index, not its place in the batch.
    np.testing.assert_allclose(
        other_eyes["probabilities"], first["probabilities"][np.array([2, 3, 1, 0])], atol=1e-5
    )


def test_options_of_predict_reach_the_sampler(config, variables, batch):
    run = functools.partial(predict, variables(config), batch, config=config, key=KEY)
    plain = run(resolution="grid")
    assert plain["probabilities"].shape == (4, 8, 8, 3)
    for options in ({"steps": 1}, {"zero_x_t": True}):
        changed = run(resolution="grid", **options)
        assert np.abs(changed["probabilities"] - plain["probabilities"]).max() > 1e-3


def test_without_diffusion_there_is_one_sample_and_no_key(small, variables, batch):
    config = small(refine="single", grade=False)
    found = predict(variables(config), batch, config=config)
    assert found["sample_probabilities"].shape == (4, 1, 32, 32, 3)
    np.testing.assert_array_equal(found["mutual_information"], np.zeros((4, 32, 32)))
    assert "grade_probabilities" not in found


def test_a_grader_alone_gives_grades_alone(small, variables, batch):
    config = small(segment=False)
    assert set(predict(variables(config), batch, config=config)) == {"grade_probabilities"}


def test_errors(config, variables, batch, noise):
    run = functools.partial(predict, variables(config), batch, config=config)
    for options in ({}, {"key": KEY, "noise": noise}):
        with pytest.raises(ValueError, match="either key or noise"):
            run(**options)
    with pytest.raises(ValueError, match="image, grid"):
        run(key=KEY, resolution="native")
    with pytest.raises(ValueError, match="sampling_steps"):
        run(key=KEY, steps=0)


@pytest.mark.parametrize("refine", ["ddim", "single"])
def test_the_fine_path_and_the_auxiliary_head_by_hand(small, variables, batch, refine):
    """Each sample's features through the fine path alone; its probabilities beside the other's."""
    options = {"fine_stride": 2, "fine_dim": 8, "auxiliary_head": True, "refine": refine}
    config = small(**options, auxiliary_share=0.25)
    run = functools.partial(predict, variables(config), batch, key=KEY, samples=SAMPLES)
    both, alone = run(config=config), run(config=small(**options))
    apply = jax.jit(functools.partial(IMO(config).apply, variables(config), train=False,
                                      method="encode"))  # fmt: skip
    inputs = normalise(batch)
    encoded = apply(inputs["fundus"], inputs["oct"], inputs["has_oct"])
    auxiliary = jax.nn.softmax(bilinear(encoded["auxiliary_logits"], (32, 32)), axis=-1)
    expected = 0.75 * alone["sample_probabilities"] + 0.25 * auxiliary[:, None]
    np.testing.assert_allclose(both["sample_probabilities"], expected, atol=1e-5)
    if refine == "single":
        return
    noise = sample.draw_noise(KEY, batch["index"], SAMPLES, (GRID, GRID, 8))
    steps = jax.jit(functools.partial(sample_logits, config=config))(
        variables(config), encoded["fused_feature"], noise
    )
    fine_logits = jax.jit(functools.partial(IMO(config).apply, method="fine_logits"))
    for k in range(SAMPLES):
        details = {2: encoded["detail2"]}
        logits = fine_logits(variables(config), steps["decoded"][-1][:, k], details)
        found = jax.nn.softmax(bilinear(logits, (32, 32)), axis=-1)
        np.testing.assert_allclose(alone["sample_probabilities"][:, k], found, atol=1e-4)
