"""The cache: folders appear whole or not at all, whoever is killed and whoever else is at it."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from data_pipelines.builders.cache import is_whole, prepared_folder


def write_two(folder):
    (folder / "inner").mkdir()
    (folder / "one").write_text("1")
    (folder / "inner" / "two").write_text("22")


def refuse(folder):
    raise AssertionError("prepared again")


def test_written_once_then_reused(tmp_path):
    folder = prepared_folder(tmp_path / "cache", "abc", write_two)
    assert folder == tmp_path / "cache" / "abc"
    assert (folder / "inner" / "two").read_text() == "22" and is_whole(folder)
    assert prepared_folder(tmp_path / "cache", "abc", refuse) == folder


def test_another_name_is_another_folder(tmp_path):
    prepared_folder(tmp_path, "abc", write_two)
    with pytest.raises(AssertionError, match="prepared again"):
        prepared_folder(tmp_path, "abd", refuse)


def test_an_error_leaves_nothing(tmp_path):
    def half(folder):
        (folder / "one").write_text("1")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        prepared_folder(tmp_path, "abc", half)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert is_whole(prepared_folder(tmp_path, "abc", write_two))


@pytest.mark.parametrize("damage", ["missing", "short", "contents"])
def test_a_damaged_folder_is_written_again(tmp_path, damage):
    folder = prepared_folder(tmp_path, "abc", write_two)
    if damage == "missing":
        (folder / "one").unlink()
    elif damage == "short":
        (folder / "inner" / "two").write_text("2")
    else:
        (folder / "contents.json").unlink()
    assert not is_whole(folder)
    prepared_folder(tmp_path, "abc", write_two)
    assert is_whole(folder) and (folder / "inner" / "two").read_text() == "22"


PROGRAM = """
    import os, pathlib, signal, sys, time
    from data_pipelines.builders.cache import prepared_folder

    def write(folder):
        (folder / "one").write_text(sys.argv[2])
        {middle}
        (folder / "two").write_text(sys.argv[2])

    prepared_folder(pathlib.Path(sys.argv[1]), "abc", write)
"""


def start(cache_dir, middle, word):
    program = textwrap.dedent(PROGRAM.format(middle=middle))
    return subprocess.Popen([sys.executable, "-c", program, str(cache_dir), word])


def test_what_a_killed_process_left_is_not_used_and_is_cleared_away(tmp_path):
    process = start(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", "half")
    assert process.wait() == -signal.SIGKILL
    left = [path for path in tmp_path.iterdir() if path.name != ".lock"]
    assert len(left) == 1 and (left[0] / "one").read_text() == "half"
    folder = prepared_folder(tmp_path, "abc", write_two)
    assert (folder / "one").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "abc"]


def test_two_processes_at_once_leave_one_whole_folder(tmp_path):
    both = [start(tmp_path, "time.sleep(0.2)", word) for word in ("first", "second")]
    assert [process.wait() for process in both] == [0, 0]
    folder = tmp_path / "abc"
    assert is_whole(folder)
    assert (folder / "one").read_text() == (folder / "two").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "abc"]


def test_without_locks_the_first_to_finish_wins(tmp_path, monkeypatch):
    monkeypatch.setattr("data_pipelines.builders.cache.fcntl", None)
    barrier = threading.Barrier(2)
    failures = []

    def prepare(word):
        def write(folder):
            (folder / "one").write_text(word)
            barrier.wait()
            time.sleep(0.02 * (word == "late"))

        try:
            prepared_folder(tmp_path, "abc", write)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=prepare, args=(word,)) for word in ("early", "late")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and is_whole(tmp_path / "abc")
    assert [path.name for path in tmp_path.iterdir()] == ["abc"]


def test_others_may_read_what_one_prepared(tmp_path):
    folder = prepared_folder(tmp_path, "abc", write_two)
    assert os.stat(folder).st_mode & 0o755 == 0o755
