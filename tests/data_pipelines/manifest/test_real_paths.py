"""Paths whose folders are looked up once lead where os.path.realpath says."""

import os

from data_pipelines.manifest.roots import RealPaths


def test_links_are_followed_as_the_system_does(tmp_path, monkeypatch):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    (tmp_path / "folder").symlink_to("a/b")
    (tmp_path / "a/b/link").symlink_to("../../folder/file")
    (tmp_path / "gone").symlink_to("nowhere/file")
    (tmp_path / "round").symlink_to("round")
    monkeypatch.chdir(tmp_path)
    real = RealPaths()
    for name in (
        "a/b/file", "folder/file", "folder/link", "folder", "gone", "round", "absent/file", "a/b/..",
        "folder/..", "folder/../file", ".", "", "a/b/", "a/./b/file",
    ):  # fmt: skip
        for path in (name, os.path.join(tmp_path, name)):
            assert real.of(path) == os.path.realpath(path), path


def test_a_folder_is_looked_up_once(tmp_path, monkeypatch):
    for number in range(5):
        (tmp_path / f"{number}").write_text("x")
    real, asked, realpath = RealPaths(), [], os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or realpath(path))
    assert [real.of(tmp_path / f"{k}") for k in range(5)] == [str(tmp_path / f"{k}") for k in range(5)]
    assert asked == [str(tmp_path)]
