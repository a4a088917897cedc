"""Loading: stores of examples, their order, and batches made ahead of time.

Nothing here imports TensorFlow before a TfdsStore is opened or the "tf.data" backend is used.
"""

from data_pipelines.load.batches import eval_batches, train_batches
from data_pipelines.load.counts import Counts, count, describe
from data_pipelines.load.examples import WorkingGrid, read_record
from data_pipelines.load.order import example_generator, example_order
from data_pipelines.load.stores import ArrayStore, Store

__all__ = [
    "ArrayStore",
    "Counts",
    "Store",
    "WorkingGrid",
    "count",
    "describe",
    "eval_batches",
    "example_generator",
    "example_order",
    "read_record",
    "train_batches",
]
