"""Reading in threads: in order, and only so much at once as memory allows."""

import threading
import time

import numpy as np
import pytest

from data_pipelines import machine_memory, reading_gate
from data_pipelines.builders import workers
from data_pipelines.builders.workers import read_all
from data_pipelines.manifest import check
from data_pipelines.manifest.files import check_volume_file
from data_pipelines.manifest.screening import ScreeningVolume, write_screening_manifest
from data_pipelines.reading_gate import decoded_bytes, machine_budget


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
            np.save(part, np.zeros(500, np.uint8))
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
    for name, dtype, size in (("a", np.float32, 400), ("b", np.uint8, 100), ("c", np.uint16, 400)):
        np.save(tmp_path / f"{name}.npy", np.zeros((10, 10), dtype))
        assert decoded_bytes(tmp_path / f"{name}.npy") == size  # bytes stay, all else is float32
    (tmp_path / "d.png").write_bytes(bytes(50))
    (tmp_path / "e.npy").write_bytes(bytes(50))  # no array: whoever reads it says so
    assert decoded_bytes(tmp_path / "d.png") == decoded_bytes(tmp_path / "e.npy") == 400
    arrays = {"oct": np.zeros((9, 5, 5), np.uint8), "slo": np.zeros((4, 5))}
    np.savez_compressed(tmp_path / "f.npz", **arrays)
    assert decoded_bytes(tmp_path / "f.npz#oct") == 225
    assert decoded_bytes(tmp_path / "f.npz") == 225 + 80
    assert decoded_bytes(tmp_path) == 400 + 100 + 400 + 400 + 400 + 305


def test_the_budget_is_what_the_machine_has_room_for(monkeypatch):
    for there, budget in ((None, 2**30), (64 * 2**30, 2**30), (2**31, 2**29)):
        monkeypatch.setattr(reading_gate, "memory_bytes", lambda there=there: there)
        assert machine_budget() == budget


def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "limit").write_text("1000\n")
    monkeypatch.setattr(machine_memory, "LIMITS", (tmp_path / "max", tmp_path / "none"))
    whole = machine_memory.memory_bytes()
    assert whole is None or whole > 10**8
    monkeypatch.setattr(machine_memory, "LIMITS", (tmp_path / "max", tmp_path / "limit"))
    assert machine_memory.memory_bytes() == 1000


def test_a_check_holds_no_more_at_once_than_the_budget(tmp_path, monkeypatch):
    held = {"now": 0, "most": 0}
    read = reader(held)
    rows = [ScreeningVolume(f"v{i}", f"p{i}", "OD", "1", "train", tmp_path / f"v{i}.npy", i % 2)
            for i in range(6)]  # fmt: skip
    for i, row in enumerate(rows):
        volume = np.random.default_rng(i).integers(0, 256, (3, 16, 16)).astype(np.uint8)
        np.save(row.oct, volume)
    write_screening_manifest(tmp_path / "screening.csv", rows)

    def found(line, path, form):
        read(0)
        return check_volume_file(line, path, form)

    monkeypatch.setattr(check, "check_volume_file", found)
    monkeypatch.setattr(check, "_THREADS", 4)
    for budget, most in ((768, 1), (2 * 768, 2)):
        monkeypatch.setattr(check, "machine_budget", lambda budget=budget: budget)
        held["most"] = 0
        assert check.check_screening_manifest(tmp_path / "screening.csv") == []
        assert held["most"] == most
