import pytest

from experiments.report import model_card
from experiments.report.model_card import card_section, subgroups, trained_on

RECORDS = [{"id": f"e{i}", "patient": f"p{i // 2}"} for i in range(6)]


def id_of(record):
    return record["id"]


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.csv"
    lines = ["\ufeffid, sex ,age,source,camera", "e0,f,39.5,A,x", "e1,f,40,A,x", "e2,m,59,A,x",
             "e3,m,80,B,x", "e4,,,B,x", "other,m,1,C,y"]  # fmt: skip
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_columns_divide_the_evaluated_rows(manifest):
    groups = {k: [r["id"] for r in v] for k, v in subgroups(manifest, RECORDS, id_of).items()}
    assert groups["sex: f"] == ["e0", "e1"] and groups["sex: m"] == ["e2", "e3"]
    assert groups["sex: not given"] == ["e4", "e5"]  # an empty cell, and no row at all
    assert groups["source: A"] == ["e0", "e1", "e2"] and "source: C" not in groups
    assert groups["age: 0 to 39"] == ["e0"] and groups["age: 40 to 59"] == ["e1", "e2"]
    assert groups["age: 80 and more"] == ["e3"]


@pytest.mark.parametrize(
    ("cell", "group"),
    [("60-69", "60-69"), ("nan", "not given"), ("-1", "not given"), ("79.9", "60 to 79")],
)
def test_bands_of_age(tmp_path, cell, group):
    path = tmp_path / "m.csv"
    path.write_text(f"id,age\ne0,{cell}\ne1,12\n")
    assert f"age: {group}" in subgroups(str(path), RECORDS[:2], id_of)


def test_a_column_with_one_value_or_with_many_is_no_division(tmp_path, monkeypatch):
    path = tmp_path / "m.csv"
    path.write_text("id,camera,sex\ne0,x,f\ne1,x,m\n")
    assert set(subgroups(str(path), RECORDS[:2], id_of)) == {"sex: f", "sex: m"}
    monkeypatch.setattr(model_card, "MOST_GROUPS", 1)
    assert subgroups(str(path), RECORDS[:2], id_of) == {}


def card(manifest):
    return card_section(
        "Data.", manifest, RECORDS, lambda members: {"count": f"{len(members)} scored"},
        who=lambda r: (r["id"], r["patient"]), limits="And more.",
    )  # fmt: skip


def test_each_group_is_scored_with_its_patients(manifest):
    section = card(manifest)
    assert section.table.columns == ["group", "number", "patients", "count"]
    assert ("sex: m", "2", "1", "2 scored") in section.table.rows
    said = " ".join(section.text)
    for part in ("Data.", "Intended use", "not a medical device", "Limits", "And more.", "interval"):
        assert part in said


def test_without_columns_it_says_which_would_do(tmp_path):
    section = card(str(tmp_path / "gone.csv"))
    assert section.table is None and "age_group" in section.text[-1]


class Rows:
    def num(self, split):
        return {"train": 3, "val": 0, "test": 2}[split]

    def patients(self, split):
        return ["a", "a", "b"]


def test_phantoms_are_called_so(tmp_path):
    manifest = str(tmp_path / "manifest.csv")
    said = trained_on(manifest, Rows(), "eyes")
    assert "3 train eyes of 2 patients" in said and "no choice of a checkpoint" in said
    assert "drew" not in said
    (tmp_path / "phantom.json").write_text("{}")
    assert "a program drew them" in trained_on(manifest, Rows(), "eyes")
