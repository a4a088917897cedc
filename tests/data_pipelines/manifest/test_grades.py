"""The grades of a set: named in a file beside the manifest, the paper's where there is none."""

import pytest

from data_pipelines.load.counts import count, describe
from data_pipelines.load.stores import ArrayStore
from data_pipelines.manifest import ManifestError, read_manifest, write_manifest
from data_pipelines.manifest.grades import PAPER_GRADES, grades_file, name_problems
from imo_jax.labels import GRADE_NAMES

pytestmark = pytest.mark.quick
FOUR = ("normal", "mild", "moderate", "severe")


def test_both_rooms_mean_the_same_grades_of_the_paper():
    assert PAPER_GRADES == GRADE_NAMES


def test_without_a_file_there_are_the_papers(data_set):
    assert read_manifest(data_set.write()).grade_names == PAPER_GRADES


def test_the_file_says_how_many_there_are_and_what_they_are_called(data_set):
    grades_file(data_set.path).write_text("# of this set\n\nnormal\nmild\n moderate \nsevere\n")
    data_set.rows[2]["grade"] = "3"
    manifest = read_manifest(data_set.write())
    assert manifest.grade_names == FOUR
    assert [eye.grade for eye in manifest.eyes] == [0, 1, 3, 0, 2]
    data_set.rows[2]["grade"] = "4"
    data_set.write()
    (problem,) = data_set.check(deep=False)
    assert problem.row == 4
    assert "'4' is none of 0, 1, 2, 3 (normal, mild, moderate, severe" in problem.reason


def test_of_two_grades_glaucoma_says_which(data_set):
    grades_file(data_set.path).write_text("normal\nglaucoma\n")
    for row, (grade, glaucoma) in zip(
        data_set.rows, [("0", ""), ("", "1"), ("1", "1"), ("", ""), ("", "0")], strict=True
    ):
        row |= {"grade": grade, "glaucoma": glaucoma}
    text = data_set.text_with("glaucoma")
    assert [eye.grade for eye in read_manifest(data_set.write(text)).eyes] == [0, 1, 1, None, 0]


def test_of_three_grades_glaucoma_does_not_say_which(data_set):
    for row in data_set.rows:
        row |= {"grade": "", "glaucoma": "1"}
    manifest = read_manifest(data_set.write(data_set.text_with("glaucoma")))
    assert [eye.grade for eye in manifest.eyes] == [None] * 5


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "names 0 grades"),
        (("normal",), "names 1 grades"),
        (tuple(f"g{k}" for k in range(21)), "names 21 grades"),
        (("normal", "a,b"), "holds ','"),
        (("normal", "a=b"), "holds '='"),
        (("normal", "a\\b"), "which no name may hold"),
        (("normal", "x" * 41), "longer than 40"),
        (("normal", "Normal"), "is there twice (as 'normal')"),
        (("normal", "mid/late", "mid_late"), "is there twice (as 'mid/late')"),  # names of columns
    ],
)
def test_names_that_cannot_be_used(names, said):
    (problem,) = name_problems(names)
    assert said in problem


def test_what_is_wrong_with_the_file_stands_beside_what_is_wrong_with_the_rows(data_set):
    grades_file(data_set.path).write_text("normal\n")
    data_set.rows[0]["split"] = "trian"
    data_set.write()
    problems = data_set.check(deep=False)
    assert [p.severity for p in problems] == ["error", "error"]
    assert problems[0].file.endswith("manifest.grades.txt") and problems[1].row == 2
    with pytest.raises(ManifestError, match="names 1 grades"):
        read_manifest(data_set.path)


def test_bytes_that_are_no_text_are_told(data_set):
    grades_file(data_set.path).write_bytes(b"normal\n\xff\xfe\n")
    data_set.write()
    (problem,) = data_set.check(deep=False)
    assert "write UTF-8" in problem.reason


def test_written_names_are_read_again_and_old_ones_do_not_stay(data_set):
    eyes = read_manifest(data_set.write()).eyes
    again = data_set.folder / "again.csv"
    write_manifest(again, eyes, grade_names=FOUR)
    assert read_manifest(again).grade_names == FOUR
    write_manifest(again, eyes)
    assert not grades_file(again).exists() and read_manifest(again).grade_names == PAPER_GRADES


def test_grades_that_train_lacks_are_named(data_set):
    grades_file(data_set.path).write_text("\n".join(FOUR))
    data_set.write()
    (problem,) = [p for p in data_set.check(deep=False, need=("train",)) if "grade" in p.reason]
    assert "the grade 3 (severe): it cannot be learned" in problem.reason


@pytest.fixture
def store(data_set):
    grades_file(data_set.path).write_text("\n".join(FOUR))
    data_set.rows[2]["grade"] = "3"
    return ArrayStore.from_manifest(read_manifest(data_set.write()), 32, None)


def test_a_store_counts_all_grades(store):
    assert store.grade_names == FOUR
    assert count(store)["train"].grades == (1, 1, 0, 1)
    assert "grades 1/1/0/1" in describe(count(store))


def test_other_grades_of_the_same_eyes(store):
    merged = store.regraded(("normal", "some"), (0, 1, 1, 1))
    assert merged.grades("train").tolist() == [0, 1, 1]
    assert [merged.example("train", i)["grade"] for i in range(3)] == [0, 1, 1]
    assert merged.grade_names == ("normal", "some")
    assert store.grades("train").tolist() == [0, 1, 3]  # the store itself is as it was
    assert [store.example("train", i)["grade"] for i in range(3)] == [0, 1, 3]


def test_of_two_other_grades_glaucoma_fills_the_gap(data_set):
    for row, glaucoma in zip(data_set.rows, ("", "1", "0", "", ""), strict=True):
        row |= {"grade": "", "glaucoma": glaucoma}
    manifest = read_manifest(data_set.write(data_set.text_with("glaucoma")))
    store = ArrayStore.from_manifest(manifest, 32, None)
    three, two = (store.regraded(names, ()) for names in (GRADE_NAMES, ("normal", "ill")))
    assert not three.has_grade("train").any()
    assert two.has_grade("train").tolist() == [False, True, True]
    assert two.example("train", 1)["grade"] == 1 and two.example("train", 1)["has_grade"]
