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


# Inputs that once were neither read nor refused in words.
FOUND = [
    ("settings", "config.json", "1/settings/1890"),  # an infinite number for a whole one
    ("run", "config.json", "1/run/56"),  # a setting gone
    ("run", "config.json", "1/run/91"),
    ("run", "baseline.npz", "0/run/1"),
    ("mask", "b.tif", "1/mask/7"),  # a page without its width
    ("photograph", "e.tif", "1/photograph/280"),
]


@pytest.mark.parametrize(("name", "file", "seed"), FOUND)
def test_what_was_found_is_refused_in_words_now(name, file, seed, tmp_path, monkeypatch):
    monkeypatch.setenv("MUTATION_TRAP", str(tmp_path / "sprung"))
    import targets

    target = targets.targets()[name]
    target.around(tmp_path)
    damaged = mutate.mutated(target.seeds[file], target.text, seed)
    assert harness.problem_of(target, tmp_path / file, damaged) is None


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
