"""Replicas, shards, and who owns which memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax.train import parallel


def test_replicas_come_back():
    tree = {"a": np.arange(3, dtype=np.float32), "b": np.int32(4)}
    for devices in (1, 2):
        replicas = parallel.replicate(tree, devices)
        assert replicas["a"].shape == (devices, 3)
        assert len(replicas["a"].sharding.device_set) == devices
        back = parallel.unreplicate(replicas)
        np.testing.assert_array_equal(back["a"], tree["a"])
        assert back["b"].shape == () and back["b"].dtype == np.int32


def test_shards_by_hand():
    batch = {"x": np.arange(8)}
    # accumulation step m holds the same examples on one device and on two
    np.testing.assert_array_equal(parallel.shard(batch, 1, 2)["x"], [[[0, 2, 4, 6], [1, 3, 5, 7]]])
    np.testing.assert_array_equal(
        parallel.shard(batch, 2, 2)["x"], [[[0, 2], [1, 3]], [[4, 6], [5, 7]]]
    )


@pytest.mark.parametrize("accumulation", [1, 2, 3])
@pytest.mark.parametrize(("processes", "devices"), [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1)])
def test_a_part_holds_the_same_examples_over_any_processes_and_devices(
    processes, devices, accumulation
):
    batch = np.arange(24)
    shares = [
        np.asarray(parallel.shard(share, devices, accumulation))
        for share in np.split(batch, processes)  # as the loaders cut it
    ]
    # [process] (devices, accumulation, b) -> (accumulation, processes * devices * b)
    parts = np.concatenate(shares).swapaxes(0, 1).reshape(accumulation, -1)
    assert [sorted(part) for part in parts.tolist()] == [
        list(range(part, 24, accumulation)) for part in range(accumulation)
    ]


@pytest.mark.parametrize(
    ("devices", "accumulation", "hint"), [(2, 2, "such as 4 or 8"), (2, 4, "multiple of 8$")]
)
def test_a_batch_that_cannot_be_cut(devices, accumulation, hint):
    with pytest.raises(ValueError, match=f"batch of 6 .* {devices * accumulation} .*{hint}"):
        parallel.shard({"x": np.zeros(6)}, devices, accumulation)


def test_donation_touches_nobody_elses_memory():
    """The host arrays given, and those taken back, stay what they were while the step goes on."""
    step = parallel.over_devices(
        lambda state, batch: (jax.tree.map(lambda x: x + batch.mean(), state), batch)
    )
    given = {"w": np.zeros((64, 64), np.float32)}
    for devices in (1, 2):
        state = parallel.replicate(given, devices)
        batch = parallel.shard(np.ones((2, 1), np.float32), devices, 1)
        seen = []
        for _ in range(3):
            state, _ = step(state, batch)
            seen.append(parallel.unreplicate(state))
        assert float(np.abs(given["w"]).max()) == 0
        for k, host in enumerate(seen):
            assert host["w"][0, 0] == k + 1
            host["w"][0, 0] = -1  # and they are writable copies
        assert float(parallel.unreplicate(state)["w"][0, 0]) == 3


def test_fetch_gives_floats():
    metrics = [parallel.replicate({"loss": jnp.float32(k)}, 2) for k in range(2)]
    assert parallel.fetch(metrics) == [{"loss": 0.0}, {"loss": 1.0}]
    assert parallel.fetch([]) == []


def test_what_is_shared_is_the_same_on_every_device():
    def step(state, batch, key):
        return state + jax.random.uniform(key, batch.shape, jnp.float32), batch

    results = []
    for seed in (0, 1):
        mapped = parallel.over_devices(step, key=jax.random.key(seed))
        batch = parallel.shard(np.zeros(2, np.float32), 2, 1)
        new, _ = mapped(parallel.replicate(np.zeros((1, 1), np.float32), 2), batch)
        results.append(np.asarray(new))
    np.testing.assert_array_equal(results[0][0], results[0][1])
    assert np.all(results[0] != results[1])


def test_the_largest_number_is_known_two_steps_later():
    line = parallel.Largest(2)
    assert parallel.IN_FLIGHT == 2
    assert [line.after_step(number) for number in (0, 15, 2, 0, 0)] == [0, 0, 0, 15, 2]
