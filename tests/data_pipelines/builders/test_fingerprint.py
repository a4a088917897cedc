"""The fingerprint changes with each thing that prepared data depend on."""

import os

import pytest

from data_pipelines.builders.fingerprint import fingerprint


@pytest.fixture
def files(tmp_path):
    (tmp_path / "volume").mkdir()
    for name in ("a.png", "volume/0.png", "volume/1.png"):
        (tmp_path / name).write_text(name)
    return [tmp_path / "a.png", tmp_path / "volume"]


def name(files, texts=("id,patient",), **settings):
    return fingerprint(texts, files, {"image_size": 24} | settings)


def test_same_things_same_name(files):
    assert name(files) == name(files)
    assert len(name(files)) == 24


def test_each_thing_matters(files, tmp_path):
    names = [name(files)]

    def changed():
        names.append(name(files))

    names.append(name(files, texts=("id,other",)))
    names.append(name(files, image_size=25))
    names.append(name(files[:1]))
    (tmp_path / "a.png").write_text("longer than before")
    changed()
    status = (tmp_path / "a.png").stat()
    os.utime(tmp_path / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    changed()
    os.utime(tmp_path / "volume" / "1.png", ns=(0, 0))
    changed()
    (tmp_path / "volume" / "2.png").write_text("new")
    changed()
    (tmp_path / "volume" / "0.png").rename(tmp_path / "volume" / "00.png")
    changed()
    assert len(set(names)) == len(names)


def test_a_missing_file_is_named(files, tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.png"):
        name([*files, tmp_path / "gone.png"])
