import functools

import jax
import numpy as np
import pytest

from imo_jax.cam import en_face
from imo_jax.models.semt import SemtConfig, network

MODELS = {
    "scans": SemtConfig(stage_sizes=(1,), width=4, stem="small", regression_width=4),
    "volume": SemtConfig(network="cnn3d", cnn_width=4),
}
INPUTS = {"scans": (3, 16, 24, 3), "volume": (1, 12, 16, 8, 1)}


@functools.cache
def outputs(name):
    """What a network with random variables returns, and its parameters."""
    model = network(MODELS[name])
    x = np.random.default_rng(0).normal(size=INPUTS[name]).astype(np.float32)
    variables = jax.jit(lambda: model.init(jax.random.key(0), x, train=False))()
    result = jax.jit(lambda: model.apply(variables, x, train=False))()
    return jax.tree.map(np.asarray, (result, variables["params"]))


@pytest.mark.parametrize("name", MODELS)
def test_mean_and_bias_are_the_logit(name):
    result, params = outputs(name)
    cam = result["cam"]
    assert cam.std() > 1e-4
    kernel, bias = (params["classifier"][part] for part in ("kernel", "bias"))
    if len(bias) == 2:  # normal and glaucoma: the logit is their difference
        kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    logit = cam.mean(axis=tuple(range(1, cam.ndim))) + bias
    np.testing.assert_allclose(logit, result["logit"], atol=1e-5)
    # (B, ..., K) . (K, 1) -> (B, ...)
    np.testing.assert_allclose(cam, (result["maps"] @ kernel)[..., 0], atol=1e-5)


def test_maps_of_the_visual_field_are_exact_before_the_sigmoid():
    result, params = outputs("scans")
    logits = result["vf_cam"].mean(axis=(1, 2))
    logits += np.concatenate([params[name]["bias"] for name in ("vfi", "md", "psd")])
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), result["vf"], atol=1e-5)


def test_en_face_keeps_the_evidence():
    result, params = outputs("scans")
    above = en_face(result["cam"])
    assert above.shape == (3, result["cam"].shape[2]) and above.std() > 1e-4
    bias = params["classifier"]["bias"]
    np.testing.assert_allclose(above.mean() + bias, result["logit"].mean(), atol=1e-5)
    volume = outputs("volume")[0]["cam"][0]
    np.testing.assert_allclose(en_face(volume), volume.mean(axis=1))


def test_en_face_by_hand():
    cam = np.zeros((2, 4, 3))
    cam[1, 2, 0] = 8.0
    np.testing.assert_array_equal(en_face(cam), [[0, 0, 0], [2, 0, 0]])
