"""Freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys
import numpy as np
from imo_jax.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()

def fill():
    parts = [np.ones(2**20) for _ in range(8)]  # 8 MiB each

fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

UNUSED = """
import pathlib
import resource
import numpy as np
from imo_jax.allocator import give_back_unused, keep_freed_memory

def resident():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()

keep_freed_memory()
parts = [np.ones(2**20) for _ in range(8)]  # 8 MiB each
last = np.ones(2**10)  # above them in the heap
del parts
print(resident())
give_back_unused()
print(resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_memory_is_mapped_once():
    def faults(how):
        command = [sys.executable, "-c", FAULTS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") < 300
    assert faults("give back") > 10_000  # 20 x 64 MiB in pages of 4 KiB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_what_is_unused_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", UNUSED], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert before - after > 60 * 2**20
