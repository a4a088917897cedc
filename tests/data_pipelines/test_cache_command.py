"""The cache's command: sizes are those on disk, and only what is old and ours goes."""

import json
import os
import time

import pytest

from data_pipelines.builders.packs import INDEX_FILE, prepared
from data_pipelines.cache import DAY, kept, main

SAID = 1000  # bytes of what is written for one example


def write(folder, positions, before, total):
    inner = folder / "made_up" / "fundus64" / "2.0.0"
    inner.mkdir(parents=True)
    (inner / "dataset_info.json").write_text("{}")
    (inner / "records").write_bytes(b"x" * SAID * len(positions))
    return [(1, None)] * len(positions)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Two packs (of two and of one eye), compiled code, the memory of checks, a stranger."""
    monkeypatch.setenv("IMO_JAX_CACHE", str(tmp_path))
    prepared(tmp_path / "eyes", ["a", "b"], write, SAID)
    prepared(tmp_path / "eyes", ["c"], write, SAID)
    (tmp_path / "xla" / "cpu").mkdir(parents=True)
    (tmp_path / "xla" / "cpu" / "step-cache").write_bytes(b"x" * 500)
    (tmp_path / "checked.sqlite").write_bytes(b"x" * 300)
    (tmp_path / "eyes" / "mine").mkdir()
    (tmp_path / "eyes" / "mine" / "thesis.txt").write_text("irreplaceable")
    return tmp_path


def packs(cache):
    """Pack by the keys of its examples."""
    return {
        tuple(sorted(json.loads(file.read_text())[0])): file.parent
        for file in (cache / "eyes").glob(f"*/{INDEX_FILE}")
    }


def age(path, days):
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def test_list_gives_number_size_and_last_use_of_each_kind(cache, capsys):
    for folder in packs(cache).values():
        age(folder / "contents.json", 3)
    main(["--list"])
    title, *lines = capsys.readouterr().out.splitlines()
    on_disk = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    stranger = len("irreplaceable")
    assert title == f"{cache}: {(on_disk - stranger) / 1e6:.1f} MB"
    eyes = next(line for line in lines if "eyes" in line)
    assert eyes.split()[:3] == ["eyes,", "fundus64", "3"] and eyes.endswith("last used 3 days ago")
    sizes = {thing.what: thing.size for thing in kept(cache) if "eyes" not in thing.what}
    assert sizes == {"compiled code": 500, "checked files": 300}
    assert sum(t.size for t in kept(cache)) == on_disk - stranger


def test_prune_removes_what_is_old_and_keeps_the_rest(cache, capsys):
    age(packs(cache)["c",] / "contents.json", 31)
    age(cache / "xla" / "cpu" / "step-cache", 31)
    left_over = cache / "eyes" / ".unfinished-x"
    left_over.mkdir()
    main(["--prune"])
    assert "removed" in capsys.readouterr().out
    assert set(packs(cache)) == {("a", "b")}
    assert (cache / "eyes" / "mine" / "thesis.txt").exists() and not left_over.exists()
    assert not (cache / "xla" / "cpu" / "step-cache").exists()
    assert (cache / "checked.sqlite").exists()


def test_what_is_asked_for_again_counts_as_used(cache):
    for folder in packs(cache).values():
        age(folder / "contents.json", 31)
    prepared(cache / "eyes", ["a"], write, SAID)
    main(["--prune"])
    assert set(packs(cache)) == {("a", "b")}


def test_days_say_how_old(cache):
    age(packs(cache)["c",] / "contents.json", 10)
    main(["--prune", "--days=11"])
    assert ("c",) in packs(cache)
    main(["--prune", "--days=9"])
    assert set(packs(cache)) == {("a", "b")}


def test_a_damaged_pack_is_listed_and_goes_with_age(cache):
    damaged = packs(cache)["c",]
    (damaged / INDEX_FILE).unlink()
    assert "eyes, not whole" in {thing.what for thing in kept(cache)}
    age(damaged / "contents.json", 31)
    main(["--prune"])
    assert not damaged.exists()


def test_no_cache_is_an_empty_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMO_JAX_CACHE", str(tmp_path / "none"))
    main(["--list"])
    main(["--prune", "--days=0"])
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'none'}: 0.0 MB",
        f"{tmp_path / 'none'}: removed 0.0 MB, 0.0 MB are left",
    ]
    assert not (tmp_path / "none").exists()


def test_what_may_not_be_removed_is_said(cache, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "pack")

    monkeypatch.setattr("data_pipelines.builders.cache.shutil.rmtree", refuse)
    with pytest.raises(SystemExit) as end:
        main(["--prune", "--days=0"])
    assert end.value.code == 2
    assert "Permission denied: 'pack'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["--list", "--prune"], ["--list", "--days=3"], ["--prune", "--days=-1"]]
)
def test_refused(arguments, cache):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2 and len(packs(cache)) == 2
