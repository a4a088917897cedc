"""TensorFlow and TFDS imported without their wall of messages, and without touching a GPU."""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple


class TensorFlow(NamedTuple):
    tf: object
    tfds: object


@functools.cache
def import_tensorflow() -> TensorFlow:
    """The modules (tf, tfds). The first call takes seconds.

    TensorFlow only moves bytes here: it is kept off the GPUs, whose memory belongs to JAX, and its
    own kernels' settings do not matter. Environment variables that are already set stay.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Otherwise a note about oneDNN is printed before the log level is looked at.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with _without_keras():
        import tensorflow as tf
    import tensorflow_datasets as tfds

    tf.config.set_visible_devices([], "GPU")
    tfds.disable_progress_bar()
    return TensorFlow(tf, tfds)


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Lets TensorFlow do without Keras, which it would import with all of scikit-learn.

    A third of the time (2 of 6 s of processor time). `tf.keras` is there for whoever asks for it later.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # to be imported is an ImportError, which TensorFlow expects
    try:
        yield
    finally:
        del sys.modules["keras"]
