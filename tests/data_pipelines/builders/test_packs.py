"""Packs: every example prepared once, whatever set asks for it; stopped, it goes on."""

import json

import pytest

from data_pipelines.builders import packs
from data_pipelines.builders.packs import prepared


@pytest.fixture
def written():
    return []


@pytest.fixture
def write(written):
    def run(folder, positions, before, total):
        written.append(list(positions))
        (folder / "records").write_text(json.dumps(positions))
        return [(position + 1, f"about {position}") for position in positions]

    return run


def test_what_a_pack_holds_is_found_again(tmp_path, write, written):
    first = prepared(tmp_path, ["a", "b", "c"], write, 1)
    assert [(p.start, p.count, p.about) for p in first] == [
        (0, 1, "about 0"), (1, 2, "about 1"), (3, 3, "about 2")
    ]  # fmt: skip
    again = prepared(tmp_path, ["c", "d", "a", "d"], write, 1)
    assert written == [[0, 1, 2], [3]]
    assert (again[0], again[2]) == (first[2], first[0]) and again[1] == again[3]
    assert again[1].folder != first[0].folder


def test_packs_are_small_enough(tmp_path, write, written, monkeypatch):
    monkeypatch.setattr(packs, "PACK", 3)
    monkeypatch.setattr(packs, "PACK_BYTES", 100)
    prepared(tmp_path, list("abcdefg"), write, 1)
    prepared(tmp_path, list("hijk"), write, 40)
    prepared(tmp_path, ["l", "m"], write, 1000)
    assert [len(positions) for positions in written] == [3, 3, 1, 2, 2, 1, 1]


def test_a_preparation_goes_on_after_the_last_whole_pack(tmp_path, write, written, monkeypatch):
    monkeypatch.setattr(packs, "PACK", 2)

    def fails(*asked):
        if len(written) == 2:
            raise KeyboardInterrupt
        return write(*asked)

    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path, list("abcdef"), fails, 1)
    assert len(packs.index(tmp_path)) == 4
    places = prepared(tmp_path, list("abcdef"), write, 1)
    assert written == [[0, 1], [2, 3], [4, 5]]
    assert [place.about for place in places] == [f"about {i}" for i in (0, 1, 2, 3, 4, 5)]


def test_a_damaged_pack_is_written_again(tmp_path, write, written):
    (place,) = prepared(tmp_path, ["a"], write, 1)
    (place.folder / "records").write_text("")
    assert prepared(tmp_path, ["a"], write, 1) == [place]
    assert written == [[0], [0]]
