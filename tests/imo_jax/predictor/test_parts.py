"""Eyes and samples in parts: as much as memory allows for, and the same answer."""

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.presets import paper, released
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo.sample import predict
from imo_jax.models.variables import variable_shapes
from imo_jax.predictor import parts
from imo_jax.predictor.answers import ask, outputs_of
from imo_jax.predictor.parts import Part, largest, part_of
from tests.imo_jax.predictor.conftest import SMALL, random_variables

EYES, SAMPLES, SIDE = 4, 4, 32


def batch_of(model, eyes=EYES, side=SIDE, oct_side=8):
    rng = np.random.default_rng(0)
    batch = {"fundus": rng.integers(0, 256, (eyes, side, side, 3), np.uint8)}
    if model.use_oct:
        shape = (eyes, oct_side, oct_side, model.oct_slices)
        batch |= {"oct": rng.integers(0, 256, shape, np.uint8), "has_oct": np.arange(eyes) > 0}
    return batch


@pytest.mark.parametrize(
    ("fit", "part"),
    [
        (100, Part(8, 4)),  # more than all
        (32, Part(8, 4)),
        (31, Part(4, 4)),  # 7 eyes would fit, which do not cut 8 evenly
        (4, Part(1, 4)),
        (3, Part(1, 2)),
        (1, Part(1, 1)),
        (0, Part(1, 1)),  # not even one fits: the device may say so
    ],
)
def test_the_largest_part_that_fits(fit, part):
    assert largest(8, 4, fit) == part


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("given", [False, True], ids=["drawn", "given noise"])
def test_samples_in_parts_are_the_same(at_once, given):
    variables, batch = random_variables(SMALL, 0), batch_of(SMALL)
    batch["index"] = np.arange(EYES, dtype=np.uint32)
    start = {"key": jax.random.key(3)}
    if given:
        shape = (EYES, SAMPLES, SIDE // 4, SIDE // 4, SMALL.feature_dim)
        start = {"noise": jax.random.normal(jax.random.key(4), shape)}
    asked = functools.partial(predict, variables, batch, config=SMALL, samples=SAMPLES, **start)
    whole, found = asked(), asked(samples_at_once=at_once)
    assert whole.keys() == found.keys()
    for name, values in whole.items():  # XLA fuses otherwise: the last bit may differ
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)
    samples = np.asarray(whole["sample_probabilities"])
    assert all(np.any(samples[:, 0] != samples[:, k]) for k in range(1, SAMPLES))


@pytest.mark.parametrize("wrong", [{"samples_at_once": 3}, {"samples_at_once": 2, "intermediates": True}])
def test_parts_that_cannot_be_are_refused(wrong):
    batch = batch_of(SMALL) | {"index": np.zeros(EYES, np.uint32)}
    with pytest.raises(ValueError, match=f"samples_at_once={wrong['samples_at_once']}"):
        predict({}, batch, config=SMALL, key=jax.random.key(0), samples=SAMPLES, **wrong)


@pytest.mark.parametrize(
    ("model", "allowed", "part"),
    [(SMALL, 9, Part(2, 4)), (SMALL, 2, Part(1, 2)), (GraderConfig(network="resnet", size="tiny"), 2, Part(2, 1))],
    ids=["eyes", "samples", "grader"],
)  # fmt: skip
def test_an_answer_in_parts_is_that_of_the_whole(monkeypatch, model, allowed, part):
    """Memory for so many samples is memory for such a part, and nothing else changes."""
    samples = SAMPLES if model is SMALL else 1
    networks, batch = [random_variables(model, seed, size=0.2) for seed in (0, 1)], batch_of(model)
    asked = functools.partial(ask, networks, batch, model, samples=samples, mirror=True)
    whole, seen = asked(), []

    def chosen(*given):
        seen.append(part_of(*given))
        return seen[-1]

    monkeypatch.setattr(parts, "of_all_arrays", lambda traced: 10**9)
    monkeypatch.setattr(parts, "compiled_bytes", lambda traced: 100)
    monkeypatch.setattr(parts, "BYTES", 100 * allowed + 50)
    monkeypatch.setattr(parts, "_found", {})
    monkeypatch.setattr("imo_jax.predictor.answers.part_of", chosen)
    found = asked()
    assert seen == [part] and whole.keys() == found.keys()
    for name, values in whole.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)


def test_what_is_small_is_not_measured(monkeypatch):
    """The whole is asked without another compilation where all its arrays would fit together."""
    monkeypatch.setattr(parts, "compiled_bytes", None)
    monkeypatch.setattr(parts, "_found", {})
    variables = random_variables(SMALL, 0)
    assert part_of(outputs_of, variables, batch_of(SMALL), SMALL, SAMPLES) == Part(EYES, SAMPLES)


def test_a_device_with_less_memory_left_is_asked_less(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 1000, "bytes_in_use": 400}

    monkeypatch.setattr(parts.jax, "local_devices", lambda: [Device()])
    monkeypatch.setattr(parts, "compiled_bytes", lambda traced: 70)
    monkeypatch.setattr(parts, "_found", {})
    assert parts.free_bytes() == 600
    variables = random_variables(SMALL, 0)
    assert part_of(outputs_of, variables, batch_of(SMALL), SMALL, SAMPLES) == Part(2, SAMPLES)


def test_all_arrays_are_counted():
    def asked(x):
        def turn(carry, _):
            return carry * 2, None  # 400 bytes; the loop over it gives 400 more

        carry, _ = jax.lax.scan(turn, jnp.sin(x), length=3)  # sin: 400
        return jax.jit(lambda y: y + 1)(carry)  # 400, and as the result of the inner call

    traced = jax.jit(asked).trace(jax.ShapeDtypeStruct((100,), jnp.float32))
    assert parts.of_all_arrays(traced) == 5 * 400


@pytest.mark.slow
@pytest.mark.parametrize("preset", [released, paper])
def test_the_full_size_at_1024_pixels_fits_into_8_gb(preset):
    """By XLA's count of the program that is chosen, and what it leaves out; the whole batch would take
    44 GB and more."""
    config = preset()
    model, samples = config.model, config.evaluation.eval_samples
    eyes = config.evaluation.eval_batch_size
    batch = batch_of(model, eyes, config.data.image_size, config.data.oct_depth)
    variables = variable_shapes(model)
    part = part_of(outputs_of, variables, batch, model, samples)
    rows = {name: values[: part.eyes] for name, values in batch.items()}
    asked = jax.jit(
        functools.partial(outputs_of, model=model, samples=samples, samples_at_once=part.samples)
    )
    assert 2e9 < parts.compiled_bytes(asked.trace(variables, rows)) < parts.BYTES


ASKS = """
import functools, resource
import numpy as np
from imo_jax.allocator import keep_freed_memory
keep_freed_memory()
from imo_jax.models.imo import SIZES
from imo_jax.models.variables import initial_variables
from imo_jax.predictor.answers import ask
from imo_jax.train.initial import draw

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

model = SIZES["convnext_tiny"]
variables = draw(functools.partial(initial_variables, model), 0)
batch = {
    "fundus": np.zeros((1, 1024, 1024, 3), np.uint8),
    "oct": np.zeros((1, 256, 256, model.oct_slices), np.uint8),
    "has_oct": np.ones(1, bool),
}
before = peak()
ask([variables], batch, model, samples=4)
print(peak() - before)
"""


@pytest.mark.slow
def test_a_prediction_at_1024_pixels_takes_at_most_8_gb_of_a_process():
    """Measured from outside, since XLA's count is not all."""
    done = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True, check=True)
    assert 2e9 < int(done.stdout) < parts.BYTES
