"""Damaged files are read or refused in words, soon, and run nothing."""

import pathlib
import subprocess
import sys

import harness
import mutate
import pytest

FOLDER = pathlib.Path(__file__).parent


def listed(faults):
    return "\n\n".join(f"{f.target}: {f.file}, seed {f.seed!r}:\n{f.what}" for f in faults)


def test_two_thousand_damaged_files(tmp_path):
    faults = harness.run(2000, 0, tmp_path)
    assert not faults, listed(faults)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files(tmp_path):
    command = [sys.executable, FOLDER / "harness.py", "--inputs=100000", "--seed=7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]


def test_damage_is_repeatable_and_damages():
    data = bytes(range(256)) * 4
    for text in (False, True):
        once = [mutate.mutated(data, text, f"s{k}") for k in range(50)]
        assert once == [mutate.mutated(data, text, f"s{k}") for k in range(50)]
        assert len(set(once)) > 45 and sum(x == data for x in once) <= 2


def test_the_harness_sees_each_kind_of_fault(tmp_path, monkeypatch):
    import targets

    def reader(path):
        content = path.read_bytes()
        if content == b"undamaged":
            return
        kind = path.name
        if kind == "traceback":
            raise KeyError(kind)
        if kind == "wordless":
            raise ValueError
        if kind == "code":
            (tmp_path / "sprung").touch()
        if kind == "slow":
            end = harness.time.process_time() + 0.2
            while harness.time.process_time() < end:
                pass

    kinds = ("traceback", "wordless", "code", "slow", "fine")
    target = targets.Target(dict.fromkeys(kinds, b"undamaged"), reader, (ValueError,), text=False)
    monkeypatch.setattr(targets, "targets", lambda: {"odd": target})
    monkeypatch.setattr(harness, "SLOWEST", 0.1)
    found = {fault.file: fault.what for fault in harness.run(5, 0, tmp_path)}
    assert set(found) == set(kinds) - {"fine"}
    assert "KeyError" in found["traceback"] and found["wordless"] == "refused without a word"
    assert found["code"] == "ran code" and found["slow"].startswith("took 0.")
