"""Reading in threads: in order, and only so much at once as memory allows."""

import threading
import time

import numpy as np
import pytest

from data_pipelines.builders import workers
from data_pipelines.builders.workers import decoded_bytes, read_all


def reader(held):
    """Reads by sleeping, and keeps how many were read at once at most."""
    lock = threading.Lock()

    def read(item):
        with lock:
            held["now"] += 1
            held["most"] = max(held["most"], held["now"])
        time.sleep(0.02)
        with lock:
            held["now"] -= 1
        return 10 * item

    return read


@pytest.mark.parametrize(("budget", "most"), [(10_000, 4), (2_500, 2), (1_000, 1), (10, 1)])
def test_files_that_are_read_at_once_fit_into_the_budget(tmp_path, monkeypatch, budget, most):
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 4)
    files = []
    for i in range(8):
        parts = [tmp_path / f"{i}_{part}.npy" for part in range(2)]
        for part in parts:
            part.write_bytes(bytes(500))
        files.append(parts)
    held = {"now": 0, "most": 0}
    assert list(read_all(reader(held), range(8), files, budget)) == [10 * i for i in range(8)]
    assert held["most"] == most


def test_an_error_lets_the_next_one_in(tmp_path):
    file = tmp_path / "a.npy"
    file.write_bytes(bytes(100))

    def read(item):
        raise ValueError(f"item {item}")

    for _ in range(2):
        with pytest.raises(ValueError, match="item 0"):
            list(read_all(read, [0], [[file]], 100))


def test_what_a_file_takes_in_memory(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((10, 10), np.float32))
    (tmp_path / "b.png").write_bytes(bytes(50))
    assert decoded_bytes(tmp_path / "a.npy") == 128 + 400
    assert decoded_bytes(tmp_path / "b.png") == 400
    assert decoded_bytes(tmp_path) == 928
