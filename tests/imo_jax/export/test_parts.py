"""The exported functions: of a batch of any size, what the predictor says of each example."""

import dataclasses

import jax
import numpy as np
import pytest
from jax import export

from imo_jax.export import stablehlo
from imo_jax.export.bundle import difference
from imo_jax.export.parts import LOCATOR, NETWORK, parts_of
from imo_jax.predictor.calibration import EyeCalibration


@pytest.fixture(scope="module")
def imo(predictor):
    """The network of the small IMO run."""
    return parts_of(predictor("imo"))[0]


@pytest.fixture(scope="module")
def file(imo):
    return stablehlo.serialised(imo)


def test_any_number_of_eyes_gives_each_its_own(imo, file):
    call = stablehlo.restored(file)
    batch = imo.example_batch(3)
    together = call(**batch)
    assert together["probabilities"].shape == (3, 64, 64, 3)
    for i in range(3):
        alone = call(**{name: x[i : i + 1] for name, x in batch.items()})
        for name, x in alone.items():
            np.testing.assert_allclose(x[0], together[name][i], atol=1e-5)
    assert np.abs(together["probabilities"][0] - together["probabilities"][2]).max() > 0.01


def test_it_says_what_the_predictor_says_and_always_the_same(imo, file):
    call, batch = stablehlo.restored(file), imo.example_batch(2)
    first, again = call(**batch), call(**batch)
    for name, x in imo.original(batch).items():
        np.testing.assert_array_equal(first[name], again[name])
        np.testing.assert_allclose(first[name], x, atol=1e-5)


def test_a_file_tells_its_platforms_inputs_and_outputs(imo, file):
    found = export.deserialize(bytearray(file))
    assert found.platforms == ("cpu", "cuda")
    _, inputs = jax.tree.unflatten(found.in_tree, found.in_avals)
    assert {n: (x.shape[1:], x.dtype) for n, x in inputs.items()} == {
        n: (x.shape, x.dtype) for n, x in imo.inputs.items()
    }
    assert {str(x.shape[0]) for x in inputs.values()} == {"batch"}
    outputs = jax.tree.unflatten(found.out_tree, found.out_avals)
    assert {n: (x.shape[1:], x.dtype) for n, x in outputs.items()} == {
        n: (x.shape, x.dtype) for n, x in imo.outputs.items()
    }


def test_a_missing_volume_is_not_looked_at(imo):
    batch = imo.example_batch(2) | {"has_oct": np.zeros(2, bool)}
    other = batch | {"oct": 255 - batch["oct"]}
    there = other | {"has_oct": np.ones(2, bool)}
    call = jax.jit(imo.of_batch)
    seen, not_seen = call(**batch)["probabilities"], call(**other)["probabilities"]
    np.testing.assert_array_equal(seen, not_seen)
    assert np.abs(seen - call(**there)["probabilities"]).max() > 1e-4


def test_a_run_in_two_stages_has_two_functions(predictor):
    locator, network = parts_of(predictor("two_stages"))
    assert (locator.name, network.name) == (LOCATOR, NETWORK)
    assert set(locator.inputs) == {"fundus"} and set(locator.outputs) == {"probabilities"}
    assert set(network.inputs) == {"fundus", "oct", "has_oct"}
    assert difference(locator, jax.jit(locator.of_batch))["probabilities"] < 1e-5


def test_mirror_temperature_and_several_networks_are_part_of_it(predictor):
    plain = predictor("imo")
    other = jax.tree.map(lambda x: x * 0.9, plain.networks[0])
    calibration = EyeCalibration(
        step=400, asked={"mirror": True}, coverage=0.9, cdr_error=None, cdr_eyes=0,
        grade_score=None, temperature=3.0, graded_eyes=20,
    )  # fmt: skip

    def part_of(networks, mirror, calibration):
        settings = dataclasses.replace(plain.settings, mirror=mirror)
        return parts_of(type(plain)(networks, settings, "", calibration=calibration))[0]

    two = [plain.networks[0], other]
    part = part_of(two, True, calibration)
    batch = part.example_batch(2)
    found = jax.jit(part.of_batch)(**batch)
    for name, x in part.original(batch).items():
        np.testing.assert_allclose(found[name], x, atol=1e-5)
    for less in ((two, True, "none"), (two, False, calibration), (two[:1], True, calibration)):
        without = part_of(*less).original(batch)
        assert np.abs(found["grade_probabilities"] - without["grade_probabilities"]).max() > 1e-3


def test_the_difference_sees_another_function(predictor):
    part = parts_of(predictor("semt"))[0]

    def off_by(much):
        return lambda **x: {n: v + much for n, v in part.original(x).items()}

    assert difference(part, off_by(5e-5)) == pytest.approx(
        {"probability": 5e-5, "vf": 5e-5, "cam": 5e-5}, abs=1e-5
    )
    with pytest.raises(ValueError, match="off by 0.5 on average"):
        difference(part, off_by(0.5))
