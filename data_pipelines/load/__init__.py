"""Loading: stores of examples, their order, and batches made ahead of time.

Nothing here imports TensorFlow before a prepared store is opened or the "tf.data" backend is used.
"""

from data_pipelines.load.batches import eval_batches, train_batches
from data_pipelines.load.counts import Counts, count, describe
from data_pipelines.load.examples import WorkingGrid, read_record
from data_pipelines.load.order import example_generator, example_order
from data_pipelines.load.screening_batches import (
    eval_cube_batches,
    eval_scan_batches,
    train_cube_batches,
    train_scan_batches,
)
from data_pipelines.load.screening_counts import (
    ScreeningCounts,
    count_screening,
    describe_screening,
)
from data_pipelines.load.screening_grid import ScreeningGrid
from data_pipelines.load.screening_stores import INDICES, ScreeningArrayStore, ScreeningStore
from data_pipelines.load.stores import ArrayStore, Store

__all__ = [
    "INDICES",
    "ArrayStore",
    "Counts",
    "ScreeningArrayStore",
    "ScreeningCounts",
    "ScreeningGrid",
    "ScreeningStore",
    "Store",
    "WorkingGrid",
    "count",
    "count_screening",
    "describe",
    "describe_screening",
    "eval_batches",
    "eval_cube_batches",
    "eval_scan_batches",
    "example_generator",
    "example_order",
    "read_record",
    "train_batches",
    "train_cube_batches",
    "train_scan_batches",
]
