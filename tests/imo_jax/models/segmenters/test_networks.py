"""What all segmenters have in common: outputs, missing OCTs, randomness, precision, statistics."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.models.segmenters import NETWORKS, network
from imo_jax.models.segmenters.config import WITH_AUXILIARY

WITH_DROP_PATH = ("upernet", "segformer", "segnext")
STRIDES = {"unet": 2, "unetpp": 1, "deeplab": 4, "upernet": 4, "segformer": 4, "segnext": 8}
every_network = pytest.mark.parametrize("name", list(NETWORKS))


@functools.partial(jax.jit, static_argnames=("config", "train"))
def run(variables, fundus, volume, has_oct, keys, *, config, train=False):
    """(outputs, batch statistics afterwards)."""
    outputs, mutated = network(config).apply(
        variables, fundus, volume, has_oct, train=train, example_keys=keys,
        mutable=["batch_stats"],
    )  # fmt: skip
    return outputs, mutated.get("batch_stats", {})


def logits(*args, **options):
    return np.asarray(run(*args, **options)[0]["logits"])


@pytest.fixture
def keys():
    return jax.random.split(jax.random.key(0), 4)


@pytest.fixture(scope="module")
def traced(small, drawn):
    """Name -> program of training in bfloat16, its outputs as shapes, its number of batch norms."""

    @functools.cache
    def trace(name):
        config = small(
            network=name, auxiliary=name in WITH_AUXILIARY, num_classes=4, with_oct=True,
            dtype="bfloat16",
        )  # fmt: skip
        variables = drawn(config)

        def train(fundus, volume):
            return network(config).apply(
                variables, fundus, volume, train=True, axis_name="devices", mutable=["batch_stats"]
            )

        fundus = jax.ShapeDtypeStruct((2, 65, 100, 3), jnp.float32)
        volume = jax.ShapeDtypeStruct((2, 9, 9, config.oct_slices), jnp.float32)
        make = jax.make_jaxpr(train, axis_env=[("devices", 2)], return_shape=True)
        program, (outputs, _) = make(fundus, volume)
        norms = len(jax.tree.leaves(variables["batch_stats"])) // 2  # mean and variance each
        return str(program), outputs, norms

    return trace


@every_network
def test_outputs_by_name_and_shape(traced, name):
    _, outputs, _ = traced(name)
    # Patches without overlap drop a remainder, padded convolutions round up.
    rest = 0 if name == "upernet" else STRIDES[name] - 1
    grid = tuple((n + rest) // STRIDES[name] for n in (65, 100))
    assert outputs["logits"].shape == (2, *grid, 4)
    others = {
        "unet": ["auxiliary_logits_4", "auxiliary_logits_8"],
        "unetpp": ["auxiliary_logits_1", "auxiliary_logits_2"],
        "upernet": ["auxiliary_logits"],
    }
    assert sorted(set(outputs) - {"logits"}) == others.get(name, [])
    assert {leaf.dtype for leaf in outputs.values()} == {jnp.dtype(jnp.float32)}


@every_network
def test_every_batch_norm_is_synchronised(traced, name):
    """One sum over the devices for the count, one for the means, one for the variances."""
    program, _, norms = traced(name)
    assert len(re.findall(r"= psum\w*\[", program)) == 3 * norms


@every_network
def test_the_computation_is_in_the_dtype_asked_for(traced, name):
    program, _, _ = traced(name)
    products = re.findall(r":(\w+)\[[\d,]*\] = (?:dot_general|conv_general_dilated)", program)
    assert products.count("bf16") > 0.7 * len(products)  # the others: classifiers, means, bases


@every_network
def test_missing_octs_and_example_keys(small, drawn, inputs, keys, name):
    """One program, called with other data: OCTs, what stands in for them, keys, another order."""
    rates = {"dropout": 0.5} | ({"drop_path": 0.5} if name in WITH_DROP_PATH else {})
    config = small(network=name, with_oct=True, **rates)
    fundus, volume, has_oct = inputs
    go = functools.partial(logits, drawn(config), fundus, config=config)
    found = go(volume, has_oct, keys)

    garbage = jnp.where(has_oct[:, None, None, None], volume, jnp.nan)
    np.testing.assert_array_equal(found, go(garbage, has_oct, keys))
    none = go(jnp.full_like(volume, jnp.nan), jnp.zeros(4, bool), keys)
    np.testing.assert_array_equal(found[2], none[2])
    assert all(np.abs(found[i] - none[i]).max() > 1e-4 for i in (0, 1, 3))

    order = np.array([3, 1, 0, 2])
    moved = logits(
        drawn(config), fundus[order], volume[order], has_oct[order], keys[order], config=config
    )
    np.testing.assert_allclose(moved, found[order], atol=1e-5)
    others = go(volume, has_oct, keys.at[1].set(jax.random.key(7)))
    assert np.abs(others[1] - found[1]).max() > 1e-3
    np.testing.assert_array_equal(np.delete(others, 1, axis=0), np.delete(found, 1, axis=0))


@pytest.mark.parametrize(
    "name",
    ["unetpp", *(pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS if n != "unetpp")],
)
def test_without_octs_the_second_stem_changes_nothing(small, drawn, inputs, name):
    fundus, volume, _ = inputs
    config, alone = small(network=name, with_oct=True), small(network=name)
    masked = logits(drawn(config), fundus, volume, jnp.zeros(4, bool), None, config=config)
    plain = logits(drawn(alone), fundus, None, None, None, config=alone)
    np.testing.assert_allclose(masked, plain, atol=1e-6)
    # A network without the stem does not look at a volume.
    nothing = jnp.full_like(volume, jnp.nan)
    np.testing.assert_array_equal(
        plain, logits(drawn(alone), fundus, nothing, None, None, config=alone)
    )


@pytest.mark.slow
@every_network
def test_two_devices_with_two_eyes_are_one_with_four(small, drawn, inputs, name):
    config = small(network=name)
    fundus = inputs[0]
    whole, statistics = run(drawn(config), fundus, None, None, None, config=config, train=True)

    @jax.jit
    @functools.partial(jax.vmap, axis_name="devices")
    def on_devices(fundus):
        return network(config).apply(
            drawn(config), fundus, train=True, axis_name="devices", mutable=["batch_stats"]
        )

    # (4, H, W, 3) -> (2, 2, H, W, 3)
    parts, mutated = on_devices(fundus.reshape(2, 2, *fundus.shape[1:]))
    for key, value in whole.items():
        np.testing.assert_allclose(value.reshape(parts[key].shape), parts[key], atol=2e-4)
    for ours, theirs in zip(
        jax.tree.leaves(statistics), jax.tree.leaves(mutated["batch_stats"]), strict=True
    ):
        np.testing.assert_allclose(np.stack([ours, ours]), theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@every_network
def test_precision_and_rates(small, drawn, inputs, keys, name):
    """bfloat16 changes the result a little; rates of zero make keys do nothing, but to bases."""
    fundus = inputs[0]
    rates = {"dropout": 0.0} | ({"drop_path": 0.0} if name in WITH_DROP_PATH else {})
    config = small(network=name, **rates)
    plain = logits(drawn(config), fundus, None, None, None, config=config)
    half = small(network=name, dtype="bfloat16", **rates)
    rough = logits(drawn(config), fundus, None, None, None, config=half)
    assert 0 < np.abs(rough - plain).max() < 0.25 * np.abs(plain).max()
    if name != "segnext":
        keyed = logits(drawn(config), fundus, None, None, keys, config=config)
        np.testing.assert_array_equal(keyed, plain)


@pytest.mark.slow
@every_network
def test_eagerly_as_compiled(small, drawn, inputs, name):
    config = small(network=name)
    eager = network(config).apply(drawn(config), inputs[0], train=False)["logits"]
    compiled = logits(drawn(config), inputs[0], None, None, None, config=config)
    np.testing.assert_allclose(eager, compiled, atol=1e-5)


@pytest.mark.slow
@every_network
def test_every_parameter_gets_a_gradient(small, drawn, inputs, name):
    config = small(network=name, with_oct=True, auxiliary=name in WITH_AUXILIARY)
    fundus, volume, has_oct = inputs
    fundus = jnp.tile(fundus, (1, 2, 2, 1))  # every attention has several keys
    variables = drawn(config)

    @jax.jit
    @jax.grad
    def gradient(params):
        outputs, _ = network(config).apply(
            variables | {"params": params}, fundus, volume, has_oct, train=True,
            mutable=["batch_stats"],
        )  # fmt: skip
        return sum(jnp.mean(jnp.sin(3 * value)) for value in outputs.values())

    flat, _ = jax.tree_util.tree_flatten_with_path(gradient(variables["params"]))
    for path, leaf in flat:
        assert bool(jnp.isfinite(leaf).all()), path
        # A bias before a batch norm, and the keys' bias, change nothing; both are in the weights.
        if not jax.tree_util.keystr(path).endswith("['bias']"):
            assert bool((leaf != 0).any()), path
