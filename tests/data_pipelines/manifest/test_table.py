"""The text of a manifest: what is accepted, and what is told about the rest."""

import pytest

from data_pipelines.manifest import check_manifest, errors, read_manifest


def reasons(problems):
    return " | ".join(map(str, problems))


@pytest.mark.parametrize(
    ("break_text", "words"),
    [
        (lambda t: "", ("is empty", "id,patient,split,fundus,oct,mask,grade")),
        (lambda t: "\n\n", ("is empty",)),
        (lambda t: t.splitlines()[0], ("header but no rows",)),
        (lambda t: t.replace(",grade", "", 1), ("column 'grade' is missing",)),
        (
            lambda t: t.replace("oct,mask,grade", "a,b,c", 1),
            ("columns 'oct', 'mask', 'grade' are missing (cells", "must be: id,patient,split,"),
        ),
        (lambda t: t.replace("fundus", "Fundus", 1), ("'fundus' is missing; rename 'Fundus'",)),
        (lambda t: t.replace("oct", "fundus", 1), ("'fundus' is there twice", "'oct' is missing")),
        (lambda t: t.replace(",", ";"), ("separated by semicolons",)),
        (lambda t: t.replace(",", "\t"), ("separated by tabs",)),
        (lambda t: t.split("\n", 1)[1], ("has no header",)),
        (lambda t: t.replace("e2,p2", "e2,p2,p2"), ("line 3", "8 cells, the header has 7")),
        (lambda t: t.replace(",p2,", ",", 1), ("line 3", "6 cells, the header has 7")),
        (lambda t: t.replace("e2,p2", '"e2,p2'), ("mend its quotes",)),
        (lambda t: t.replace("e2,p2", "e2,p\xe9").encode("latin-1"), ("line 3", "not UTF-8")),
        (lambda t: t.encode("utf-16"), ("UTF-16",)),
        (lambda t: t.replace("e2", "e\0").encode(), ("line 3", "NUL bytes")),
        (lambda t: b"PK\x03\x04" + b"x" * 50, ("Excel workbook",)),
        (lambda t: b"\x89PNG\r\n\x1a\n" + b"\0" * 20, ("NUL bytes",)),
    ],
)
def test_broken_text(data_set, break_text, words):
    data_set.write(break_text(data_set.text()))
    problems = errors(check_manifest(data_set.path))
    for word in words:
        assert word in reasons(problems), reasons(problems)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: b"\xef\xbb\xbf" + t.encode(),
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t + "\n\n\n",
        lambda t: t + ",,,,,,\n",
        lambda t: t.rstrip("\n"),
        lambda t: t.replace("e2,p2", '"e2","p2"'),
        lambda t: t.replace("e1.png", "./sub/../e1.png"),
    ],
    ids=["BOM", "CRLF", "CR", "blank lines", "empty cells", "no last newline", "quotes", "dots"],
)
def test_harmless_text(data_set, change):
    (data_set.folder / "sub").mkdir()
    data_set.write(change(data_set.text()))
    assert check_manifest(data_set.path) == []
    assert [eye.id for eye in read_manifest(data_set.path).eyes] == ["e1", "e2", "e3", "e4", "e5"]


def test_spaces_and_other_columns_are_left_out_with_a_warning(data_set):
    lines = data_set.text().splitlines()
    lines = [f"{line},{extra}" for line, extra in zip(lines, ["size", *"12345"], strict=True)]
    data_set.write("\n".join(lines).replace("e2,p2", " e2 , p2"))
    problems = check_manifest(data_set.path)
    assert not errors(problems)
    assert "columns not used: size" in reasons(problems)
    assert "spaces around the cells of id, patient" in reasons(problems)
    assert read_manifest(data_set.path).eyes[1].id == "e2"


def test_a_column_that_reports_group_by_is_no_surprise(data_set):
    lines = data_set.text().splitlines()
    lines = [f"{line},{extra}" for line, extra in zip(lines, ["sex", *"fmfmf"], strict=True)]
    data_set.write("\n".join(lines))
    assert check_manifest(data_set.path) == []


def test_columns_may_be_in_any_order(data_set):
    data_set.COLUMNS = tuple(reversed(data_set.COLUMNS))
    data_set.write()
    assert check_manifest(data_set.path) == []
    assert read_manifest(data_set.path).eyes[0].grade == 0


def test_manifest_that_is_not_there(tmp_path, data_set):
    data_set.write()
    assert "does not exist" in reasons(check_manifest(tmp_path / "gone.csv"))
    told = reasons(check_manifest(data_set.folder))
    assert "is a folder" in told
    assert "manifest.csv" in told
