"""tf.data: the same function bare and inside Dataset.map, and its errors."""

import itertools
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from data_pipelines.load import ArrayStore, eval_batches, tf_data, train_batches
from data_pipelines.load.batches import Share, batch_spec, train_batch


@pytest.fixture
def store(make_manifest):
    manifest = make_manifest(train=5, val=3)
    return ArrayStore.from_manifest(manifest, image_size=24, oct_shape=(5, 6, 4))


def test_a_batch_bare_and_inside_dataset_map(store):
    share, spec = Share.of(3, (0, 1)), batch_spec(3, 24, (5, 6, 4))
    none_turned = np.zeros(store.num("train"), bool)

    def make(step):
        return train_batch(store, "train", share, spec, 1, none_turned, step)

    dataset = tf_data.batch_dataset(make, spec, 4, 7, workers=2, ahead=1)
    assert {
        name: (tuple(tensor.shape), tensor.dtype.as_numpy_dtype)
        for name, tensor in dataset.element_spec.items()
    } == {name: (shape, dtype.type) for name, (shape, dtype) in spec.items()}
    inside = list(dataset.as_numpy_iterator())
    assert len(inside) == 3
    for step, batch in enumerate(inside, 4):
        for name, values in make(step).items():
            np.testing.assert_array_equal(batch[name], values, err_msg=name)


def test_both_backends_give_the_same_bits(store):
    def batches(backend):
        settings = {"batch_size": 4, "seed": 3, "start_step": 2, "backend": backend}
        iterator = train_batches(store, "train", **settings)
        trained = list(itertools.islice(iterator, 4))
        iterator.close()
        return trained + list(eval_batches(store, "val", batch_size=2, backend=backend))

    for one, other in zip(batches("tf.data"), batches("threads"), strict=True):
        assert one.keys() == other.keys() and one["id"] == other["id"]
        for name in one.keys() - {"id"}:
            assert one[name].dtype == other[name].dtype
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_an_error_comes_out_as_it_was(store):
    def fail(step):
        raise LookupError(f"step {step} of eye7 cannot be made")

    with pytest.raises(LookupError, match="step 0 of eye7"):
        next(tf_data.batches(fail, batch_spec(1, 8, None), 0, 3, workers=1, ahead=1))


def test_a_program_may_end_while_batches_are_being_made():
    # An open iterator once kept Python from shutting down: TensorFlow waited for its threads, which
    # waited for Python.
    program = textwrap.dedent("""
        import numpy as np
        from data_pipelines.load import tf_data
        from data_pipelines.load.batches import batch_spec, stacked

        def make(step):
            np.sort(np.random.default_rng(step).random(20000))
            return stacked(spec, [(step, None)])

        spec = batch_spec(1, 8, None)
        iterator = tf_data.batches(make, spec, 0, 10**9, workers=2, ahead=2)
        next(iterator)
        raise SystemExit(3)
    """)
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 3
