"""The groups of scored rows that columns of their manifest tell of."""

import pytest

from data_pipelines.manifest import subgroups as module
from data_pipelines.manifest.subgroups import subgroups

IDS = [f"e{i}" for i in range(6)]


def test_columns_divide_the_evaluated_rows(tmp_path):
    manifest = tmp_path / "manifest.csv"
    lines = ["\ufeffid, sex ,age,source,camera", "e0,f,39.5,A,x", "e1,f,40,A,x", "e2,m,59,A,x",
             "e3,m,80,B,x", "e4,,,B,x", "other,m,1,C,y"]  # fmt: skip
    manifest.write_text("\n".join(lines), encoding="utf-8")
    groups = subgroups(manifest, IDS)
    assert groups["sex: f"] == [0, 1] and groups["sex: m"] == [2, 3]
    assert groups["sex: not given"] == [4, 5]  # an empty cell, and no row at all
    assert groups["source: A"] == [0, 1, 2] and "source: C" not in groups
    assert groups["age: 0 to 39"] == [0] and groups["age: 40 to 59"] == [1, 2]
    assert groups["age: 80 and more"] == [3]


@pytest.mark.parametrize(
    ("cell", "group"),
    [("60-69", "60-69"), ("nan", "not given"), ("-1", "not given"), ("79.9", "60 to 79")],
)
def test_bands_of_age(tmp_path, cell, group):
    path = tmp_path / "m.csv"
    path.write_text(f"id,age\ne0,{cell}\ne1,12\n")
    assert f"age: {group}" in subgroups(str(path), IDS[:2])


def test_a_column_with_one_value_or_with_many_is_no_division(tmp_path, monkeypatch):
    path = tmp_path / "m.csv"
    path.write_text("id,camera,sex\ne0,x,f\ne1,x,m\n")
    assert set(subgroups(path, IDS[:2])) == {"sex: f", "sex: m"}
    monkeypatch.setattr(module, "MOST_GROUPS", 1)
    assert subgroups(path, IDS[:2]) == {}


def test_a_manifest_that_is_gone_divides_nothing(tmp_path):
    assert subgroups(tmp_path / "gone.csv", IDS) == {}
