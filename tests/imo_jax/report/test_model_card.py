"""What the card says of the data, and the scores of its groups."""

import pytest

from imo_jax.report.model_card import card_section, trained_on, use_section

RECORDS = [{"id": f"e{i}", "patient": f"p{i // 2}"} for i in range(6)]
NUMBERS = {"train": 3, "val": 0, "test": 2}


def card(groups):
    return card_section(
        "Data.", groups, lambda members: {"count": f"{len(members)} scored"},
        patient_of=lambda r: r["patient"], columns=("sex", "age_group"), limits="And more.",
    )  # fmt: skip


def test_each_group_is_scored_with_its_patients():
    section = card({"sex: f": RECORDS[:2], "sex: m": RECORDS[2:5]})
    assert section.table.columns == ["group", "number", "patients", "count"]
    assert section.table.rows == [
        ("sex: f", "2", "1", "2 scored"), ("sex: m", "3", "2", "3 scored"),
    ]  # fmt: skip
    said = " ".join(section.text)
    for part in ("Data.", "Intended use", "not a medical device", "Limits", "And more.", "interval"):
        assert part in said


def test_without_groups_it_says_which_columns_would_do():
    section = card({})
    assert section.table is None and "sex, age_group" in section.text[-1]


def test_the_data_are_said_with_their_numbers():
    said = trained_on("m.csv", NUMBERS, 2, "eyes")
    assert "3 train eyes of 2 patients of m.csv" in said and "2 test eyes" in said
    assert "no choice of a checkpoint" in said
    assert "chosen on 4 validation eyes" in trained_on("m.csv", NUMBERS | {"val": 4}, 2, "eyes")


def test_another_manifest_than_that_of_the_training_is_named():
    said = trained_on("m.csv", NUMBERS, 2, "eyes", learned_from="other.csv")
    assert "train eyes of other.csv" in said and "another manifest, m.csv" in said
    assert trained_on("m.csv", NUMBERS, 2, "eyes", learned_from="m.csv") == trained_on(
        "m.csv", NUMBERS, 2, "eyes"
    )


@pytest.mark.parametrize("learned_from", [None, "other.csv"])
def test_phantoms_are_called_so(learned_from):
    said = [
        trained_on("m.csv", NUMBERS, 2, "eyes", learned_from=learned_from, phantom=phantom)
        for phantom in (False, True)
    ]
    assert ["a program drew them" in text for text in said] == [False, True]
    used = [" ".join(use_section(phantom).text) for phantom in (False, True)]
    assert ["a program drew them" in text for text in used] == [False, True]
