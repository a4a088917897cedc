"""A check opens a file once, and again when the file, or the code that looks, has changed."""

import os
import shutil

import pytest
from PIL import Image

from data_pipelines.manifest import check, checked_files
from data_pipelines.manifest.check import check_manifest
from data_pipelines.manifest.checked_files import CheckedFiles


@pytest.fixture
def opened(monkeypatch):
    """Ids of the eyes whose files were opened."""
    seen: list[str] = []
    real = check.check_eye_files

    def check_eye_files(line, fundus, *others):
        seen.append(fundus.stem)
        return real(line, fundus, *others)

    monkeypatch.setattr(check, "check_eye_files", check_eye_files)
    return seen


def texts(problems):
    return [str(problem) for problem in problems]


def rows_of(problems, file):
    """Rows of the errors that concern a file that no picture is in."""
    return [p.row for p in problems if p.file == str(file) and p.severity == "error"]


def test_a_second_check_opens_nothing_and_says_the_same(make_manifest, tmp_path, opened):
    manifest = make_manifest(train=3, val=1)
    manifest.eyes[1].fundus.write_bytes(b"no picture")
    shutil.copy(manifest.eyes[0].fundus, manifest.eyes[3].fundus)
    memory = tmp_path / "cache" / "checked.sqlite"
    first = texts(check_manifest(manifest.path, memory=memory))
    assert len(opened) == 4 and any("copy" in text for text in first)
    assert texts(check_manifest(manifest.path, memory=memory)) == first
    assert len(opened) == 4
    assert texts(check_manifest(manifest.path)) == first
    assert len(opened) == 8


def test_problems_move_with_their_rows(make_manifest, tmp_path):
    manifest = make_manifest(train=2)
    manifest.eyes[1].fundus.write_bytes(b"no picture")
    memory = tmp_path / "checked.sqlite"
    bad = rows_of(check_manifest(manifest.path, memory=memory), manifest.eyes[1].fundus)
    header, *rows = manifest.path.read_text().splitlines()
    manifest.path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    moved = rows_of(check_manifest(manifest.path, memory=memory), manifest.eyes[1].fundus)
    assert (bad, moved) == ([3], [2])


def touch(eye):
    status = eye.fundus.stat()
    os.utime(eye.fundus, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replace(eye):
    """Another file of the same size and time."""
    status, data = eye.fundus.stat(), eye.fundus.read_bytes()
    other = eye.fundus.with_name("other")
    other.write_bytes(data)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(eye.fundus)


def darken(eye):
    Image.new("RGB", (48, 48), (9, 9, 9)).save(eye.fundus)


@pytest.mark.parametrize(("change", "again"), [(touch, 0), (replace, 0), (darken, 1)])
def test_what_has_other_bytes_is_opened_again(make_manifest, tmp_path, opened, change, again):
    manifest = make_manifest(train=3)
    memory = tmp_path / "checked.sqlite"
    first = texts(check_manifest(manifest.path, memory=memory))
    change(manifest.eyes[1])
    after = texts(check_manifest(manifest.path, memory=memory))
    assert len(opened) == 3 + again
    assert (after == first) or again


def test_a_copied_file_is_read_once_and_then_known_by_its_stamp(tmp_path, monkeypatch):
    file, memory, read = tmp_path / "file", tmp_path / "checked.sqlite", []
    real = checked_files._content
    monkeypatch.setattr(checked_files, "_content", lambda path: read.append(path) or real(path))
    file.write_text("x")
    for _ in range(3):
        with CheckedFiles(memory) as remembered:
            remembered.of("what", [file], lambda: 1)
    assert len(read) == 1
    shutil.copy(file, tmp_path / "copy")
    (tmp_path / "copy").rename(file)
    for _ in range(3):
        with CheckedFiles(memory) as remembered:
            assert remembered.of("what", [file], lambda: 2) == 1
    assert len(read) == 2


def test_what_is_known_by_its_stamp_is_not_written_again(tmp_path, monkeypatch):
    file, memory, written = tmp_path / "file", tmp_path / "checked.sqlite", []
    real = CheckedFiles._write
    monkeypatch.setattr(
        CheckedFiles, "_write", lambda self, key, value: written.append(key) or real(self, key, value)
    )
    file.write_text("x")
    for _ in range(3):
        with CheckedFiles(memory) as remembered:
            assert remembered.of("what", [file], lambda: 1) == 1
    assert len(written) == 2  # by its stamp and by its bytes, once


def test_other_code_looks_again(make_manifest, tmp_path, opened, monkeypatch):
    manifest = make_manifest(train=2)
    memory = tmp_path / "checked.sqlite"
    check_manifest(manifest.path, memory=memory)
    monkeypatch.setattr(checked_files, "code_version", lambda: "another")
    check_manifest(manifest.path, memory=memory)
    assert len(opened) == 4


def test_a_damaged_memory_costs_nothing_but_time(make_manifest, tmp_path, opened):
    manifest = make_manifest(train=2)
    memory = tmp_path / "checked.sqlite"
    memory.write_bytes(b"no database" * 100)
    first = texts(check_manifest(manifest.path, memory=memory))
    assert texts(check_manifest(manifest.path, memory=memory)) == first
    assert len(opened) == 4


def test_a_stopped_check_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(checked_files, "COMMIT_EVERY", 1)
    file = tmp_path / "file"
    file.write_text("x")
    memory, asked = tmp_path / "checked.sqlite", []

    def answer():
        asked.append(1)
        return ["found"]

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), CheckedFiles(memory) as remembered:
        remembered.of("one", [file], answer)
        remembered.of("two", [file], stop)
    with CheckedFiles(memory) as remembered:
        assert remembered.of("one", [file], answer) == ["found"]
        assert remembered.of("two", [file], answer) == ["found"]
    assert len(asked) == 2


def test_what_is_known_is_answered_without_threads(make_manifest, tmp_path, opened, monkeypatch):
    manifest, memory = make_manifest(train=3), tmp_path / "checked.sqlite"
    first = texts(check_manifest(manifest.path, memory=memory))
    monkeypatch.setattr(check.ThreadPoolExecutor, "submit", None)  # would fail if it were called
    assert texts(check_manifest(manifest.path, memory=memory)) == first
    assert len(opened) == 3
