"""The screening networks: outputs, activation maps, options, gradients, devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.layers.convolution import same_padding
from imo_jax.models.semt import NETWORKS, network

each_network = pytest.mark.parametrize("name", sorted(NETWORKS))


@functools.partial(jax.jit, static_argnames=("config", "train"))
def run(variables, x, *, config, train=False):
    """(outputs, batch statistics afterwards)."""
    outputs, changed = network(config).apply(variables, x, train=train, mutable=["batch_stats"])
    return outputs, changed.get("batch_stats", variables["batch_stats"])


def shapes(config, x):
    init = functools.partial(network(config).init_with_output, train=False)
    return jax.eval_shape(init, jax.random.key(0), x)[0]


@pytest.mark.parametrize(
    ("name", "size", "grid"),
    [
        ("multi_task", (20, 13), (5, 4)),
        ("resnet", (33, 64), (9, 16)),
        ("resnet3d", (9, 12, 10), (3, 3, 3)),
        ("cnn3d", (9, 12, 10), (5, 6, 5)),
        ("cnn3d", (32, 16, 7), (16, 8, 4)),
    ],
)
def test_outputs_for_any_size(small, name, size, grid):
    config = small(network=name)
    channels = 3 if config.input == "scan" else 1
    found = shapes(config, jnp.zeros((2, *size, channels)))
    features = 2 if name == "cnn3d" else 8
    expected = {
        "logit": (2,),
        "features": (2, features),
        "maps": (2, *grid, features),
        "cam": (2, *grid),
    }
    if name == "multi_task":
        expected |= {"vf": (2, 3), "vf_cam": (2, *grid, 3), "maps": (2, *grid, 8 + 3 * 3)}
    assert {name: array.shape for name, array in found.items()} == expected
    assert {array.dtype for array in found.values()} == {jnp.dtype("float32")}


@each_network
def test_the_mean_of_the_activation_map_and_the_bias_is_the_logit(small, variables, inputs, name):
    config = small(network=name)
    outputs, _ = run(variables(config), inputs(config), config=config)
    head = {k: np.asarray(v) for k, v in variables(config)["params"]["classifier"].items()}
    if name == "cnn3d":  # two outputs, of which the logit is the difference
        head = {k: v[..., 1:] - v[..., :1] for k, v in head.items()}
    cam = np.asarray(outputs["cam"])
    mean = cam.mean(axis=tuple(range(1, cam.ndim)))
    # Logits here reach 118, where neighbouring float32 lie 8e-6 apart.
    close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-5)
    close(outputs["logit"], mean + head["bias"])
    pooled = np.asarray(outputs["maps"]).mean(axis=tuple(range(1, cam.ndim)))
    close(outputs["logit"], pooled @ head["kernel"][:, 0] + head["bias"])


def test_the_same_of_each_index(small, variables, inputs):
    config = small()
    outputs, _ = run(variables(config), inputs(config), config=config)
    params = variables(config)["params"]
    for i, name in enumerate(("vfi", "md", "psd")):
        before = np.asarray(outputs["vf_cam"])[..., i].mean(axis=(1, 2)) + params[name]["bias"]
        np.testing.assert_allclose(outputs["vf"][:, i], 1 / (1 + np.exp(-before)), atol=1e-5)


@each_network
def test_features_are_the_backbone_s_mean_and_not_negative(small, variables, inputs, name):
    config = small(network=name)
    outputs, _ = run(variables(config), inputs(config), config=config)
    channels = outputs["features"].shape[-1]
    maps = np.asarray(outputs["maps"])[..., :channels]
    mean = maps.mean(axis=tuple(range(1, maps.ndim - 1)))
    np.testing.assert_allclose(outputs["features"], mean, atol=1e-5)
    assert (np.asarray(outputs["features"]) >= 0).all() and mean.any()


@each_network
def test_eager_equals_compiled_and_an_example_its_own_batch(small, variables, inputs, name):
    config = small(network=name)
    x = inputs(config)
    outputs, _ = run(variables(config), x, config=config)
    with jax.disable_jit():
        eager = network(config).apply(variables(config), x[:1], train=False)
    for key, array in eager.items():
        np.testing.assert_allclose(array, outputs[key][:1], rtol=1e-4, atol=1e-4)


@each_network
def test_training_moves_every_running_statistic_and_evaluation_none(small, variables, inputs, name):
    config = small(network=name)
    before = variables(config)["batch_stats"]
    outputs, same = run(variables(config), inputs(config), config=config)
    jax.tree.map(np.testing.assert_array_equal, before, same)
    trained, after = run(variables(config), inputs(config), config=config, train=True)
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert (old != new).all()
    assert not np.allclose(outputs["logit"], trained["logit"])


def test_shared_branch_and_own_branches(small, variables, inputs):
    shared = small(regression_branches=1)
    outputs, _ = run(variables(shared), inputs(shared), config=shared)
    assert outputs["vf"].shape == (4, 3)
    assert outputs["maps"].shape[-1] == 8 + 3
    assert set(variables(shared)["params"]) == {
        "backbone", "classifier", "visual_field", "visual_field_maps",
    }  # fmt: skip
    assert set(variables(small())["params"]) == {
        "backbone", "classifier", "vfi", "vfi_maps", "md", "md_maps", "psd", "psd_maps",
    }  # fmt: skip


@pytest.mark.parametrize("column", [0, 1, 2])
def test_each_branch_predicts_its_own_index_and_feeds_the_classifier(
    small, variables, inputs, column
):
    """Another bias in one branch's maps moves its index, no other, and the logit."""
    config = small()
    name = ("vfi", "md", "psd")[column]
    outputs, _ = run(variables(config), inputs(config), config=config)
    params = dict(variables(config)["params"])
    maps = dict(params[f"{name}_maps"])
    maps["norm1"] = {key: value + 1.0 for key, value in maps["norm1"].items()}
    changed, _ = run(
        variables(config) | {"params": params | {f"{name}_maps": maps}},
        inputs(config), config=config,
    )  # fmt: skip
    moved = (np.asarray(changed["vf"]) != np.asarray(outputs["vf"])).any(axis=0)
    assert moved.tolist() == [i == column for i in range(3)]
    assert (changed["logit"] != outputs["logit"]).all()
    np.testing.assert_array_equal(changed["features"], outputs["features"])


def test_gradients_flow_through_the_concatenation(small, variables, inputs):
    """The class loss teaches the regression maps and the backbone, not the regressors."""
    config = small()

    def loss(params):
        outputs, _ = run(variables(config) | {"params": params}, inputs(config), config=config)
        return jnp.sum(outputs["logit"])

    gradient = jax.jit(jax.grad(loss))(variables(config)["params"])
    for part, values in gradient.items():
        reached = any(bool(leaf.any()) for leaf in jax.tree.leaves(values))
        assert reached == (part not in ("vfi", "md", "psd")), part


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({"network": "resnet", "stem": "fine"}, {"network": "resnet"}),
        ({"network": "resnet", "stem": "imagenet"}, {"network": "resnet", "stem": "fine"}),
        ({"network": "resnet", "stage_sizes": (2, 1)}, {"network": "resnet"}),
        ({"network": "resnet", "width": 5}, {"network": "resnet"}),
        ({"regression_width": 4}, {}),
        ({"regression_branches": 1}, {}),
        ({"network": "cnn3d", "cnn_width": 3}, {"network": "cnn3d"}),
    ],
    ids=str,
)
def test_each_option_changes_the_network(small, options, changed):
    def described(config):
        channels = (1, 32, 32, 3) if config.input == "scan" else (1, 16, 16, 16, 1)
        init = functools.partial(network(config).init_with_output, train=False)
        found = jax.eval_shape(init, jax.random.key(0), jnp.zeros(channels))
        return jax.tree.map(lambda leaf: leaf.shape, found)

    assert described(small(**options)) != described(small(**changed))


@each_network
def test_bfloat16_computes_otherwise_and_answers_in_float32(small, variables, inputs, name):
    config, half = small(network=name), small(network=name, dtype="bfloat16")
    outputs, _ = run(variables(config), inputs(config), config=config)
    rounded, _ = run(variables(config), inputs(config), config=half)
    assert rounded["maps"].dtype == jnp.bfloat16
    assert rounded["logit"].dtype == rounded["features"].dtype == rounded["cam"].dtype
    assert rounded["logit"].dtype == jnp.float32
    difference = np.abs(np.asarray(rounded["logit"] - outputs["logit"])).max()
    assert 0 < difference < 0.1 * np.abs(outputs["logit"]).max()


def test_statistics_are_shared_between_devices(small, variables, inputs):
    """Two devices with half a batch each answer as one does with the whole batch."""
    config = small()
    expected, statistics = run(variables(config), inputs(config), config=config, train=True)

    def one_device(x):
        return network(config).apply(
            variables(config), x, train=True, axis_name="devices", mutable=["batch_stats"]
        )

    # (4, ...) -> (2 devices, 2, ...)
    halves = inputs(config).reshape(2, 2, *inputs(config).shape[1:])
    outputs, changed = jax.pmap(one_device, axis_name="devices")(halves)
    for name in ("logit", "vf"):
        found = np.asarray(outputs[name]).reshape(expected[name].shape)
        np.testing.assert_allclose(found, expected[name], rtol=1e-3, atol=1e-4)
    leaves = zip(jax.tree.leaves(statistics), jax.tree.leaves(changed["batch_stats"]), strict=True)
    for one, two in leaves:
        np.testing.assert_allclose(two[0], one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "size", "stride", "expected"),
    [
        ((32, 31, 7), 7, 2, ((2, 3), (3, 3), (3, 3))),  # Keras: the odd zero at the end
        ((5,), 5, 1, ((2, 2),)),
        ((4,), 1, 3, ((0, 0),)),
    ],
)
def test_same_padding_of_keras(shape, size, stride, expected):
    assert same_padding(shape, size, stride) == expected
