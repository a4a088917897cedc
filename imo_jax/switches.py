"""What programs and benchmarks switch in JAX, the same way in both."""

import contextlib
import pathlib

import jax


def wait_on_cpus() -> None:
    """Calls on a CPU return when they are done.

    A CPU has nothing else to do meanwhile, and a step that is called before the last one has quite
    ended takes its memory anew instead of that one's.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def keep_compiled(folder: pathlib.Path) -> None:
    """Keeps compiled code in a folder, and takes from there what is compiled already.

    All of it, however quick to compile: an unchanged second run compiles nothing. A folder that cannot be written (a read-only home) costs compile time, nothing else.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
