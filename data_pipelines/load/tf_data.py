"""Batches computed in parallel and ahead of time by tf.data."""

import atexit
import contextlib
import weakref
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from data_pipelines.load.iterate import Spec
from data_pipelines.load.quiet_tensorflow import import_tensorflow


def batch_dataset(
    make_batch: Callable[[int], Mapping[str, np.ndarray]],
    spec: Spec,
    start: int,
    stop: int,
    workers: int,
    ahead: int,
):
    """A tf.data.Dataset of make_batch(start), ... make_batch(stop - 1), in this order.

    One call of Python makes a whole batch: a call costs 0.2 ms whatever it does, and copies what
    it returns.
    """
    tf, _ = import_tensorflow()
    names = sorted(spec)
    dtypes = [tf.as_dtype(spec[name][1]) for name in names]

    def call(step: np.ndarray) -> list[np.ndarray]:
        batch = make_batch(int(step))
        return [batch[name] for name in names]

    def load(step):
        arrays = tf.numpy_function(call, [step], dtypes, stateful=False)
        for name, array in zip(names, arrays, strict=True):
            array.set_shape(spec[name][0])
        return dict(zip(names, arrays, strict=True))

    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = workers
    dataset = tf.data.Dataset.range(start, stop)
    dataset = dataset.map(load, num_parallel_calls=workers, deterministic=True)
    return dataset.prefetch(ahead).with_options(options)


def batches(
    make_batch: Callable[[int], Mapping[str, np.ndarray]],
    spec: Spec,
    start: int,
    stop: int,
    workers: int,
    ahead: int,
) -> Iterator[dict[str, np.ndarray]]:
    """Iterates batch_dataset as numpy; an error of `make_batch` is raised as it was."""
    tf, _ = import_tensorflow()
    failures: list[Exception] = []

    def remember_failure(step: int) -> Mapping[str, np.ndarray]:
        try:
            return make_batch(step)
        except Exception as error:
            failures.append(error)
            raise

    def iterate() -> Iterator[dict[str, np.ndarray]]:
        dataset = batch_dataset(remember_failure, spec, start, stop, workers, ahead)
        try:
            yield from dataset.as_numpy_iterator()
        except tf.errors.OpError:
            if failures:
                raise failures[0] from None
            raise

    iterator = iterate()
    _open.add(iterator)
    return iterator


# Iterators that may have threads of tf.data at work. Were one still open when Python shuts down,
# TensorFlow would wait for threads that wait for Python, for ever.
_open: weakref.WeakSet = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for iterator in list(_open):
        with contextlib.suppress(ValueError):  # in use by a daemon thread, which goes on waiting
            iterator.close()
