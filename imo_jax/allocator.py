"""How the C library keeps memory that a step has freed."""

import contextlib
import ctypes

# Parameters of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
NEVER = 2**31 - 1
TOP_PAD = 2**28  # bytes asked of the system beyond what is wanted


def keep_freed_memory() -> bool:
    """Keeps freed memory in the process instead of giving it back to the system.

    On a CPU XLA allocates its buffers anew in every step, and glibc takes large ones from the system
    and returns them at once: their pages are then zeroed and mapped again, step after step
    (docs/performance.md has what that costs). So large ones lie in the heap that grows, too, and it
    never shrinks. That is the heap of the thread that calls the step. The others keep heaps of their
    own: in one for all, each small allocation of a step would be looked for among the pieces that
    compilation left behind.

    Returns:
      Whether the C library took the settings; False where it is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: NEVER, M_TOP_PAD: TOP_PAD}
        return all(mallopt(name, value) == 1 for name, value in settings.items())
    return False


def give_back_unused() -> None:
    """Gives back what is free now; to be called after something big that happens once.

    Such as compilation: what it leaves is too much in pieces to be of use to the steps.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
