"""Names that people, file systems and spreadsheets write in two ways."""

import itertools

import pytest

from data_pipelines.likely_names import likely_same_key
from data_pipelines.manifest.problems import Problem
from data_pipelines.manifest.roots import Roots
from data_pipelines.manifest.rows import ParsedRow, check_patients
from data_pipelines.manifest.table import read_table


@pytest.mark.parametrize(
    "alike",
    [
        ("007", "7", "7.0", "07.00"),
        ("P1", "p1", "P 1", "P_1", "P-1", "p-001", "P\u00a01"),
        ("Jos\u00e9", "JOSE\u0301"),
        ("0", "000", "0.0"),
        ("eye-05.png", "eye5.png"),
    ],
)
def test_names_that_are_likely_the_same(alike):
    assert len({likely_same_key(name) for name in alike}) == 1


def test_names_that_are_not():
    names = ("1-2", "12", "1.2", "1.02", "1.20", "10", "1", "0", "P1", "P2", "Jose", "José", "P10")
    for one, other in itertools.combinations(names, 2):
        assert likely_same_key(one) != likely_same_key(other)


def patients(*rows):
    """Problems of rows of (patient, split), on lines from 2."""
    parsed = [
        ParsedRow(line, {"patient": patient, "split": split})
        for line, (patient, split) in enumerate(rows, start=2)
    ]
    return [(p.row, p.severity, p.reason) for p in check_patients(parsed)]


def test_two_spellings_in_two_splits_are_doubted_once_each():
    (found,) = patients(("007", "train"), ("7", "val"), ("7", "val"), ("8", "test"))
    assert found[:2] == (3, "warning")
    assert "'7' is in val here and in train on line 2" in found[2]
    assert "written '007' there: the same person?" in found[2]
    assert not patients(("1.0", "train"), ("1", "train"), ("1", ""))


def test_another_spelling_hides_no_error():
    found = patients(("P1", "train"), ("p1", "val"), ("p1", "test"))
    assert [f[:2] for f in found] == [(4, "error"), (3, "warning")]
    assert "'p1' is in test here and in val on line 3" in found[0][2]


@pytest.mark.parametrize(
    "there, cell, says",
    [
        ("Jose\u0301.png", "Jos\u00e9.png", "Unicode form"),
        ("Jos\u00e9/a.png", "Jose\u0301/a.png", "Unicode form"),
        ("Images/A.png", "images/a.png", "capital and small letters"),
        ("oct/0005.npy", "oct/5.npy", "zeros"),
        ("oct/0005.npy", "oct/5", "zeros"),
        ("a.jpg", "a.png", ""),
        ("eye_1.png", "eye-1.png", ""),
    ],
)
def test_the_file_that_was_meant_is_named(tmp_path, there, cell, says):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    with pytest.raises(ValueError, match="does not exist") as told:
        Roots(tmp_path).find(cell)
    reason = str(told.value)
    assert f"; there is {there!r}" in reason
    assert reason.endswith(repr(there)) if not says else says in reason


def test_no_file_is_named_where_two_may_be_meant(tmp_path):
    (tmp_path / "05.png").touch()
    (tmp_path / "0005.png").touch()
    with pytest.raises(ValueError, match="does not exist") as told:
        Roots(tmp_path).find("5.png")
    assert "there is" not in str(told.value)
    # One that differs by less is meant before one that differs by more.
    (tmp_path / "5.PNG").touch()
    with pytest.raises(ValueError, match=r"there is '5\.PNG'"):
        Roots(tmp_path).find("5.png")


@pytest.mark.parametrize(
    "text, says",
    [
        ("ID,Patient,SPLIT\n1,2,train\n", "column names in capital letters ('ID', ...)"),
        ("sep=,\nid,patient,split\n1,2,train\n", "delete that line"),
        ("\ufeffsep=;\nid;patient;split\n1;2;train\n", "'sep=;'; delete that line"),
    ],
)
def test_the_header_of_a_spreadsheet_is_understood(tmp_path, text, says):
    path = tmp_path / "manifest.csv"
    path.write_text(text, "utf-8")
    problems: list[Problem] = []
    assert read_table(path, ("id", "patient", "split"), problems) == []
    (problem,) = problems
    assert says in problem.reason
    assert problem.reason.endswith("the first line must be: id,patient,split")
