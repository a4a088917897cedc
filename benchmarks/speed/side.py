"""The two sides of a comparison: JAX's and PyTorch's, each with its library set up alike."""

import importlib
from types import ModuleType

from benchmarks.speed.task import Task
from imo_jax.allocator import keep_freed_memory


def side_of(impl: str) -> str:
    """Which library an implementation is of."""
    return "jax" if impl == "jax" else "torch"


def started(impl: str, task: Task) -> ModuleType:
    """The runtime module of an implementation's library, set up as the programs set it up."""
    keep_freed_memory()
    # Imported here, so that no process loads the other's library.
    runtime = importlib.import_module(f"benchmarks.speed.{side_of(impl)}_runtime")
    runtime.set_up(task.precision)
    return runtime
