"""The network: missing OCTs, options, precision, randomness, gradients."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.diffusion.forward import add_noise
from imo_jax.models.imo import IMO
from imo_jax.models.imo.cmfa import CMFA
from imo_jax.models.inputs import normalise

GRID, DIM = 8, 8


@functools.partial(jax.jit, static_argnames=("config", "train"))
def encode(variables, fundus, volume, has_oct, keys=None, *, config, train):
    """(outputs, batch statistics afterwards)."""
    outputs, mutated = IMO(config).apply(
        variables, fundus, volume, has_oct, train=train, example_keys=keys, method="encode",
        mutable=["batch_stats"],
    )  # fmt: skip
    return outputs, mutated["batch_stats"]


def assert_trees_equal(one, other, **tolerance):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, **tolerance)


@pytest.fixture(scope="module")
def inputs(batch):
    found = jax.jit(normalise)(batch)
    return found["fundus"], found["oct"], jnp.asarray(batch["has_oct"])


@pytest.fixture(scope="module")
def keys():
    return jax.random.split(jax.random.key(0), 4)


@pytest.fixture(scope="module")
def states():
    """feature, x_t (4, GRID, GRID, DIM) and log-SNR (4,)."""
    feature, x_t = jax.random.normal(jax.random.key(3), (2, 4, GRID, GRID, DIM))
    return feature, x_t, jnp.asarray([-3.0, 0.0, 1.0, 5.0])


def test_inputs_are_normalised(batch):
    found = normalise({"fundus": np.full((1, 1, 1, 3), 255, np.uint8), "oct": batch["oct"]})
    expected = [(255 - 123.675) / 58.395, (255 - 116.28) / 57.12, (255 - 103.53) / 57.375]
    np.testing.assert_allclose(found["fundus"][0, 0, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(found["oct"], batch["oct"] / 255.0, atol=1e-6)
    assert found["has_oct"] is None
    assert normalise({"fundus": batch["fundus"], "has_oct": batch["has_oct"]})["oct"] is None


def test_what_stands_in_for_a_missing_oct_is_not_looked_at(small, variables, inputs):
    fundus, volume, has_oct = inputs
    garbage = jnp.where(has_oct[:, None, None, None], volume, jnp.nan)
    run = functools.partial(encode, variables(small()), fundus, config=small(), train=True)
    outputs, statistics = run(volume, has_oct)
    again, statistics_again = run(garbage, has_oct)
    assert_trees_equal(outputs, again, atol=0)
    assert_trees_equal(statistics, statistics_again, atol=0)
    assert not outputs["oct_feature"][2].any()
    assert outputs["oct_feature"][0].any()


def test_missing_octs_do_not_enter_the_statistics(small, variables, inputs):
    """Eyes 0, 1, 3 alone leave the OCT encoder's statistics where all four with one missing do."""
    fundus, volume, has_oct = inputs
    run = functools.partial(encode, variables(small()), config=small(), train=True)
    _, masked = run(fundus, volume, has_oct)
    there = np.array([0, 1, 3])
    _, alone = run(fundus[there], volume[there], has_oct[there])
    assert_trees_equal(masked["oct_encoder"], alone["oct_encoder"], atol=1e-5)
    before = variables(small())["batch_stats"]["oct_encoder"]
    _, none = run(fundus, volume, jnp.zeros(4, bool))
    assert_trees_equal(none["oct_encoder"], before, atol=0)


def test_without_any_oct_three_ways_are_the_same(small, variables, inputs):
    fundus, volume, _ = inputs
    nothing = jnp.zeros(4, bool)
    joint = variables(small())
    absent, _ = encode(joint, fundus, None, None, config=small(), train=False)
    garbage = jnp.full_like(volume, jnp.nan)
    masked, _ = encode(joint, fundus, garbage, nothing, config=small(), train=False)
    alone, _ = encode(
        variables(small(use_oct=False)), fundus, volume, None, config=small(use_oct=False),
        train=False,
    )  # fmt: skip
    assert "oct_feature" not in alone and "oct_feature" not in absent
    for name in alone:
        np.testing.assert_allclose(absent[name], alone[name], atol=1e-6)
        np.testing.assert_allclose(masked[name], alone[name], atol=1e-6)
    assert "oct_encoder" not in variables(small(use_oct=False))["params"]


def cmfa_by_hand(params, fundus, volume, oct_mlp):
    """Channel attention of each, sum, spatial attention, 1x1, ReLU, in numpy."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def channel(x, mlp):
        hidden = np.maximum(x.mean(axis=(1, 2)) @ mlp["squeeze"]["kernel"], 0)
        return x * sigmoid(hidden @ mlp["excite"]["kernel"])[:, None, None]

    x = channel(fundus, params["channel"]) + channel(volume, params[oct_mlp])
    maps = np.stack([x.mean(axis=-1), x.max(axis=-1)], axis=-1)
    padded = np.pad(maps, ((0, 0), (3, 3), (3, 3), (0, 0)))
    kernel = np.asarray(params["spatial"]["conv"]["kernel"])
    logits = sum(
        (padded[:, i : i + GRID, j : j + GRID] * kernel[i, j, :, 0]).sum(axis=-1)
        for i in range(7)
        for j in range(7)
    )
    return np.maximum((x * sigmoid(logits)[..., None]) @ params["fusion"]["kernel"], 0)


@pytest.mark.parametrize(("shared", "oct_mlp"), [(True, "channel"), (False, "channel_oct")])
def test_cmfa_by_hand(small, variables, states, shared, oct_mlp):
    config = small(shared_channel_attention=shared)
    params = jax.tree.map(np.asarray, variables(config)["params"]["cmfa"])
    fundus, volume, _ = (np.asarray(s) for s in states)
    found = jax.jit(CMFA(config).apply)({"params": params}, fundus, volume)
    np.testing.assert_allclose(found, cmfa_by_hand(params, fundus, volume, oct_mlp), atol=1e-5)


def test_concatenation_instead_of_attention(small, variables, states):
    config = small(cmfa="concat")
    params = variables(config)["params"]["cmfa"]
    assert set(params) == {"fusion"}
    fundus, volume, _ = (np.asarray(s) for s in states)
    found = jax.jit(CMFA(config).apply)({"params": params}, fundus, volume)
    both = np.concatenate([fundus, volume], axis=-1)
    expected = np.maximum(both @ np.asarray(params["fusion"]["kernel"]), 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def output_shapes(config):
    fundus = jax.ShapeDtypeStruct((2, 36, 64, 3), jnp.float32)
    volume = jax.ShapeDtypeStruct((2, 10, 20, 4), jnp.float32)
    outputs, _ = jax.eval_shape(IMO(config).init_with_output, jax.random.key(0), fundus, volume)
    return {name: leaf.shape for name, leaf in outputs.items()}


def test_outputs_by_name_and_shape(small):
    assert output_shapes(small(auxiliary_head=True)) == {
        "backbone_stage0": (2, 9, 16, 8),
        "backbone_stage1": (2, 4, 8, 8),
        "backbone_stage2": (2, 2, 4, 8),
        "backbone_stage3": (2, 1, 2, 8),
        "fundus_feature": (2, 9, 16, 8),
        "oct_feature": (2, 9, 16, 8),
        "fused_feature": (2, 9, 16, 8),
        "grade_logits": (2, 3),
        "auxiliary_logits": (2, 9, 16, 3),
        "logits": (2, 9, 16, 3),
    }


@pytest.mark.parametrize(
    ("encoder", "stages", "finest"),
    [
        ("efficientnet_lite0", [(9, 16, 24), (5, 8, 40), (3, 4, 112), (2, 2, 320)], (18, 32, 16)),
        ("resnet10_w16", [(9, 16, 16), (5, 8, 32), (3, 4, 64), (2, 2, 128)], (18, 32, 16)),
        ("vit_mini", [(8, 16, 256), (4, 8, 256), (2, 4, 256), (1, 2, 256)], None),
        ("efficientvit_mini", [(3, 4, 32), (2, 2, 48), (1, 1, 64)], None),
    ],
)
def test_any_encoder(small, encoder, stages, finest):
    """Its maps from stride 4 on go into the pyramid; the one at stride 2 is there for more."""
    shapes = output_shapes(small(encoder=encoder))
    named = [shapes[f"backbone_stage{i}"] for i in range(len(stages))]
    assert named == [(2, *stage) for stage in stages]
    assert shapes.get("fundus_stride2") == (finest and (2, *finest))
    height = 8 if encoder == "vit_mini" else 9
    assert shapes["fundus_feature"] == shapes["oct_feature"] == (2, height, 16, 8)
    assert f"backbone_stage{len(stages)}" not in shapes


@pytest.mark.parametrize(
    ("options", "gone", "parts_gone"),
    [
        ({"use_oct": False}, {"oct_feature"}, {"oct_encoder"}),
        ({"grade": False}, {"grade_logits"}, {"grading_head"}),
        (
            {"segment": False},
            {"logits"},
            {"decoder", "fusion", "noise_level", "label_embedding"},
        ),
        ({"refine": "single"}, set(), {"fusion", "noise_level", "label_embedding"}),
    ],
    ids=["without OCT", "without grade", "without segmentation", "single pass"],
)
def test_what_is_switched_off_is_not_there(small, variables, options, gone, parts_gone):
    everything, less = small(), small(**options)
    assert set(output_shapes(everything)) - set(output_shapes(less)) == gone
    assert set(variables(everything)["params"]) - set(variables(less)["params"]) == parts_gone


def test_a_single_pass_looks_at_the_feature_alone(small, variables, states):
    config = small(refine="single")
    run = jax.jit(functools.partial(IMO(config).apply, method="denoise"))
    feature, x_t, level = states
    alone = run(variables(config), feature, None, None)
    np.testing.assert_array_equal(alone, run(variables(config), feature, x_t, level))
    assert np.abs(alone - run(variables(config), 2 * feature, None, None)).max() > 1e-3


def test_denoising_depends_on_feature_state_and_level(small, variables, states):
    run = jax.jit(functools.partial(IMO(small()).apply, method="denoise"))
    plain = run(variables(small()), *states)
    assert plain.dtype == jnp.float32
    for i in range(3):
        changed = [0.5 * s if i == j else s for j, s in enumerate(states)]
        assert np.abs(run(variables(small()), *changed) - plain).max() > 1e-3


def test_label_embeddings_by_hand(small, variables):
    config = small(signal_scale=0.1)
    apply = functools.partial(IMO(config).apply, variables(config))
    table = np.asarray(variables(config)["params"]["label_embedding"])
    rows = (2 / (1 + np.exp(-table)) - 1) * 0.1
    labels = jnp.asarray([[[0, 1], [2, 255]]])
    x0 = apply(labels, method="embed_labels")
    np.testing.assert_allclose(x0[0], [[rows[0], rows[1]], [rows[2], rows[3]]], atol=1e-6)
    probabilities = jnp.asarray([0.2, 0.5, 0.3])[None, None, None]
    expected = apply(probabilities, method="embed_probabilities")
    np.testing.assert_allclose(expected[0, 0, 0], np.array([0.2, 0.5, 0.3]) @ rows[:3], atol=1e-6)


def test_the_gradient_reaches_every_row_of_the_embedding_table(small, variables, states):
    config = small()
    feature, noise, level = states
    labels = jnp.asarray(np.random.default_rng(0).choice([0, 1, 2, 255], (4, GRID, GRID)))

    def loss(params):
        apply = functools.partial(IMO(config).apply, {"params": params})
        x_t = add_noise(apply(labels, method="embed_labels"), noise, level)
        return jnp.mean(nn.log_softmax(apply(feature, x_t, level, method="denoise"))[..., 0])

    gradient = jax.jit(jax.grad(loss))(variables(config)["params"])
    assert (np.abs(gradient["label_embedding"]).max(axis=-1) > 1e-6).all()
    assert (np.abs(gradient["noise_level"]["embedding"]["frequencies"]) > 0).all()


def test_jit_equals_eager(small, variables, states):
    run = functools.partial(IMO(small()).apply, method="denoise")
    np.testing.assert_allclose(
        jax.jit(run)(variables(small()), *states), run(variables(small()), *states), atol=1e-5
    )


def test_an_odd_grid_and_any_oct_grid(small, variables):
    """A grid of 9 by 11: the pyramid's levels are no halves of each other."""
    image = (36, 44)
    rng = np.random.default_rng(0)
    fundus = rng.normal(size=(1, *image, 3)).astype(np.float32)
    volume = rng.random((1, 5, 30, 4)).astype(np.float32)
    outputs, _ = encode(variables(small()), fundus, volume, None, config=small(), train=False)
    grid = (1, image[0] // 4, image[1] // 4, 8)
    assert outputs["fused_feature"].shape == outputs["oct_feature"].shape == grid
    assert np.isfinite(outputs["grade_logits"]).all()


def test_bfloat16_is_close_to_float32_and_not_the_same(small, variables, inputs, states):
    fundus, volume, has_oct = inputs
    both = {}
    for dtype in ("float32", "bfloat16"):
        config = small(dtype=dtype)
        outputs, _ = encode(variables(small()), fundus, volume, has_oct, config=config, train=False)
        run = jax.jit(functools.partial(IMO(config).apply, method="denoise"))
        outputs["logits"] = run(variables(small()), *states)
        both[dtype] = outputs
    assert both["bfloat16"]["fused_feature"].dtype == jnp.bfloat16
    for name in ("grade_logits", "logits"):
        exact, rough = both["float32"][name], both["bfloat16"][name]
        assert rough.dtype == jnp.float32
        error = np.abs(exact - rough)
        assert 0 < error.max() and error.mean() < 0.03 * np.abs(exact).mean() + 0.01


@pytest.fixture(scope="module")
def random_outputs(small, variables, inputs, keys):
    config = small(auxiliary_head=True)
    return functools.partial(
        encode, variables(config), *inputs, config=config, train=False
    )  # train=False: no batch statistics, so that eyes are independent but for the keys


def test_randomness_follows_the_examples_keys(small, variables, inputs, keys, random_outputs):
    config = small(auxiliary_head=True)
    order = np.array([2, 0, 3, 1])
    plain, _ = random_outputs(keys)
    permuted, _ = encode(
        variables(config), *(v[order] for v in inputs), keys[order], config=config, train=False
    )
    for name in ("fundus_feature", "grade_logits", "auxiliary_logits"):
        np.testing.assert_allclose(permuted[name], plain[name][order], atol=1e-5)


def test_randomness_is_in_every_layer_that_should_have_it(keys, random_outputs):
    fixed, _ = random_outputs(None)
    again, _ = random_outputs(None)
    assert_trees_equal(fixed, again, atol=0)
    drawn, _ = random_outputs(keys)
    other, _ = random_outputs(jax.random.split(jax.random.key(9), 4))
    for name in ("backbone_stage3", "grade_logits", "auxiliary_logits"):
        assert np.abs(drawn[name] - fixed[name]).max() > 1e-4
        assert np.abs(drawn[name] - other[name]).max() > 1e-4
    # Rates grow from 0: the first stage has none, and the OCT encoder draws nothing.
    np.testing.assert_allclose(drawn["backbone_stage0"], fixed["backbone_stage0"], atol=1e-6)
    np.testing.assert_allclose(drawn["oct_feature"], fixed["oct_feature"], atol=1e-6)


def test_rates_of_zero_switch_off(small, variables, inputs, keys, random_outputs):
    config = small(auxiliary_head=True, drop_path=0.0, grade_dropout=0.0)
    drawn, _ = encode(variables(config), *inputs, keys, config=config, train=False)
    fixed, _ = random_outputs(None)
    for name in ("backbone_stage3", "grade_logits"):
        np.testing.assert_allclose(drawn[name], fixed[name], atol=1e-6)


def test_the_fine_path_adds_its_maps(small):
    plain = output_shapes(small())
    for stride, maps in ((2, {"detail2"}), (1, {"detail2", "detail1"})):
        fine = output_shapes(small(fine_stride=stride, fine_dim=8))
        assert set(fine) - set(plain) == maps
        assert fine["logits"] == (2, 36 // stride, 64 // stride, 3)
        assert fine[f"detail{stride}"] == (2, 36 // stride, 64 // stride, 8)
    assert set(output_shapes(small(fine_stride=2, fine_dim=8, segment=False))) == set(plain) - {
        "logits"
    }


@pytest.mark.parametrize("option", [{"merged_conv": True}, {"grade_shapes": True}], ids=str)
def test_options_of_the_features_reach_the_grade(small, variables, inputs, option):
    base = small(auxiliary_head=True)
    config = small(auxiliary_head=True, **option)
    plain, _ = encode(variables(base), *inputs, config=base, train=False)
    changed, _ = encode(variables(config), *inputs, config=config, train=False)
    assert np.abs(changed["grade_logits"] - plain["grade_logits"]).max() > 1e-4


def test_the_grade_sees_the_shapes_and_does_not_teach_them(small, variables, inputs):
    config = small(auxiliary_head=True, grade_shapes=True)

    def grade(params):
        both = variables(config) | {"params": params}
        outputs, _ = encode(both, *inputs, config=config, train=False)
        return jnp.sum(outputs["grade_logits"])

    gradient = jax.jit(jax.grad(grade))(variables(config)["params"])
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradient["auxiliary"]))
    seen = gradient["grading_head"]["hidden"]["kernel"]
    assert seen.shape[0] == config.grade_hidden + 13


@pytest.fixture(scope="module")
def gradient_of_the_grade(small, variables, inputs):
    """Share of it that the fundus feature gets -> the gradient of some loss of the grade."""

    @functools.cache
    def gradient(share):
        config = small(grade_gradient=share)

        def grade(params):
            both = variables(config) | {"params": params}
            outputs, _ = encode(both, *inputs, config=config, train=False)
            return jnp.sum(jnp.square(outputs["grade_logits"]))

        return jax.jit(jax.grad(grade))(variables(config)["params"])

    return gradient


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_grade_s_gradient_into_the_fundus_feature_alone_is_scaled(gradient_of_the_grade, share):
    full, scaled = gradient_of_the_grade(1.0), gradient_of_the_grade(share)
    for part in ("oct_encoder", "cmfa", "grading_head"):
        assert_trees_equal(scaled[part], full[part], atol=1e-5)
    expected = jax.tree.map(lambda leaf: share * leaf, full["fundus_encoder"])
    largest = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(full["fundus_encoder"]))
    assert largest > 1e-3
    assert_trees_equal(scaled["fundus_encoder"], expected, atol=1e-4 * largest)


def test_cells_are_embedded_where_they_lie(small, variables):
    """A square shifted by single pixels moves what is noised by as much; its corners do not."""
    config = small()
    apply = functools.partial(IMO(config).apply, variables(config))
    background, rim = np.asarray(apply(method="class_embeddings"))[:2]
    direction = rim - background

    def centre(labels, method):
        # Share of class 1 in each cell, then the mean place in pixels of the photograph.
        x0 = np.asarray(apply(labels, method=method))[0]
        share = (x0 - background) @ direction / (direction @ direction)
        return (share.sum(axis=0) @ (4 * (np.arange(GRID) + 0.5))) / share.sum()

    for shift in range(4):
        labels = np.zeros((1, 32, 32), np.int32)
        labels[:, 8:24, 8 + shift : 20 + shift] = 1
        true = 14 + shift
        assert abs(centre(labels, "embed_cells") - true) < 1e-3
    corner = centre(labels[:, ::4, ::4], "embed_labels")
    assert abs(corner - true) > 0.9  # as released


def test_a_cell_s_embedding_is_the_mean_of_its_pixels(small, variables):
    apply = functools.partial(IMO(small()).apply, variables(small()))
    labels = np.random.default_rng(0).choice([0, 1, 2, 255], (2, 8, 12)).astype(np.int32)
    each = apply(labels, method="embed_labels")
    expected = np.asarray(each).reshape(2, 2, 4, 3, 4, -1).mean(axis=(2, 4))
    np.testing.assert_allclose(apply(labels, method="embed_cells"), expected, atol=1e-6)


def test_training_moves_statistics_and_evaluation_does_not(small, variables, inputs):
    config = small(auxiliary_head=True)
    run = functools.partial(encode, variables(config), *inputs, config=config)
    before = variables(config)["batch_stats"]
    assert set(before) == {"oct_encoder", "grading_head", "auxiliary"}
    assert_trees_equal(run(train=False)[1], before, atol=0)
    for one, other in zip(
        jax.tree.leaves(run(train=True)[1]), jax.tree.leaves(before), strict=True
    ):
        assert np.abs(one - other).max() > 1e-4
