"""All encoders: the maps are at the strides, and of the channels, that are known beforehand."""

import jax
import jax.numpy as jnp
import pytest

from imo_jax.backbones.encoder import Encoding
from imo_jax.backbones.table import ENCODERS

# One of each family; the others take longer to trace and differ in numbers alone.
QUICK = (
    "efficientnet_lite0", "resnet10_w16", "resnet50", "convnext_mini", "mit_mini", "mscan_mini",
    "efficientvit_mini", "vit_mini", "beit_mini",
)  # fmt: skip
each = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in ENCODERS],
)


def shapes(name, *, size=(64, 96), after_stem=None, dtype=jnp.float32, **options):
    """(encoding, variables) as shapes; nothing is computed."""
    module = ENCODERS[name].module(dtype=dtype, **options)

    def init(key, image):
        added = None if after_stem is None else jnp.zeros(after_stem)
        return module.init_with_output(key, image, added, train=False, example_keys=key[None])

    return jax.eval_shape(init, jax.random.key(0), jnp.zeros((1, *size, 3)))


@each
def test_strides_and_channels_are_known_beforehand(name):
    encoder = ENCODERS[name]
    out, _ = shapes(name)
    assert isinstance(out, Encoding)
    assert list(out.maps) == list(encoder.channels) == sorted(encoder.channels)
    for stride, x in out.maps.items():
        assert x.shape == (1, -(-64 // stride), -(-96 // stride), encoder.channels[stride])
    assert out.pooled.shape[0] == 1 and out.pooled.dtype == jnp.float32


@pytest.mark.parametrize("name", QUICK)
def test_a_second_stem_is_added_and_the_dtype_kept(name):
    encoder = ENCODERS[name]
    out, variables = shapes(name, after_stem=(1, 5, 7, encoder.stem), dtype=jnp.bfloat16)
    assert {x.dtype for x in out.maps.values()} == {jnp.dtype(jnp.bfloat16)}
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    with pytest.raises((TypeError, ValueError)):
        shapes(name, after_stem=(1, 5, 7, encoder.stem + 1))


@pytest.mark.parametrize("name", QUICK)
def test_options_are_looked_at_where_the_encoder_has_them(name):
    encoder = ENCODERS[name]
    assert "bits" not in str(traced(name, drop_path=0.0))
    assert ("bits" in str(traced(name, drop_path=0.5))) == (encoder.drop_path is not None)
    _, small = shapes(name, image_size=64)
    _, large = shapes(name, image_size=128)
    assert (small != large) == encoder.of_one_size
    dilated, _ = shapes(name, dilate_last=True)
    assert (max(dilated.maps) < max(encoder.channels)) == encoder.dilates


def traced(name, **options):
    module = ENCODERS[name].module(**options)
    _, variables = shapes(name)

    def train(variables, image, keys):
        return module.apply(
            variables, image, train=True, example_keys=keys, mutable=["batch_stats"]
        )[0].maps

    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
    return jax.make_jaxpr(train)(variables, jnp.zeros((1, 64, 96, 3)), keys)


def test_patches_are_enlarged_and_shrunk_by_the_simple_feature_pyramid():
    _, variables = shapes("vit_mini")
    pyramid = variables["params"]["pyramid"]
    # 96 channels at stride 16; each twofold enlargement halves them.
    assert pyramid["enlarge8_0"]["kernel"].shape == (96, 4 * 48)
    assert pyramid["enlarge4_1"]["kernel"].shape == (48, 4 * 24)
    assert {s: pyramid[f"lateral{s}"]["kernel"].shape[0] for s in (4, 8, 16, 32)} == {
        4: 24, 8: 48, 16: 96, 32: 96,
    }  # fmt: skip
    assert "enlarge4_1_norm" in pyramid and "enlarge8_0_norm" not in pyramid
