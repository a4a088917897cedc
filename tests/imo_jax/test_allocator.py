"""Freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys
import threading
import numpy as np
from imo_jax.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()

def fill():
    parts = [np.ones(2**20) for _ in range(8)]  # 8 MiB each

fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    fill()
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_memory_is_mapped_once():
    def faults(how):
        command = [sys.executable, "-c", FAULTS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") < 300
    assert faults("give back") > 10_000  # 20 x 64 MiB in pages of 4 KiB
