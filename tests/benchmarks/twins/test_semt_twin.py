"""The PyTorch twin of SEMT's network against ours, with weights that went over."""

import dataclasses

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.twins import semt, semt_weights
from imo_jax.models.semt import SemtConfig, network, normalise

pytestmark = pytest.mark.parity

SMALL = SemtConfig(stage_sizes=(2, 1, 1, 1), width=8, regression_width=16)


@pytest.mark.parametrize("changes", [{}, {"stem": "small"}, {"regression_branches": 1}], ids=str)
def test_logit_and_visual_field(changes):
    config = dataclasses.replace(SMALL, **changes)
    ours = network(config)
    random = np.random.default_rng(0)
    scan = random.integers(0, 256, (2, 61, 64, 3), np.uint8)
    x = normalise({"scan": scan})
    variables = jax.jit(lambda key: ours.init(key, x, train=False))(jax.random.key(0))
    # Running statistics that are not the initial ones.
    variables = jax.tree.map(
        lambda a: np.abs(a + 0.1 * random.normal(size=a.shape).astype(np.float32)), variables
    )
    twin = semt.MultiTaskTwin(config).eval()
    state = {name: torch.from_numpy(a) for name, a in semt_weights.to_torch(variables).items()}
    missing, unexpected = twin.load_state_dict(state, strict=False)
    assert not unexpected and all("num_batches_tracked" in name for name in missing)
    expected = jax.jit(lambda v: ours.apply(v, x, train=False))(variables)
    with torch.no_grad():
        found = twin(torch.from_numpy(scan))
    for name in ("logit", "vf"):
        np.testing.assert_allclose(found[name].numpy(), expected[name], rtol=1e-4, atol=1e-4)


def test_parameters_of_the_full_network_are_ours():
    config = SemtConfig()
    with torch.device("meta"):
        twin = semt.MultiTaskTwin(config)
    x = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
    shapes = jax.eval_shape(
        lambda key, x: network(config).init(key, x, train=False), jax.random.key(0), x
    )
    ours = sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes["params"]))
    assert twin.num_parameters() == ours
