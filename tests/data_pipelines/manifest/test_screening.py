"""The OCT screening manifest: values, cases, donors, faults."""

import numpy as np
import pytest

from data_pipelines.manifest import (
    ManifestError,
    errors,
    read_screening_manifest,
    write_screening_manifest,
)


def reasons(problems):
    return " | ".join(map(str, problems))


def test_read_gives_what_the_rows_say(screening_set):
    manifest = read_screening_manifest(screening_set.write())
    first, last = manifest.volumes[0], manifest.volumes[-1]
    assert (first.eye, first.visit, first.glaucoma) == ("OD", "1", 0)
    assert (first.vfi, first.md, first.psd) == (90.0, -3.5, 4.25)
    assert first.oct == screening_set.folder / "v1.npy"
    assert first.is_donor
    assert (last.vfi, last.md, last.psd, last.is_donor) == (None, None, None, False)
    assert [v.id for v in manifest.split("train")] == ["v1", "v2", "v5", "v6"]


def test_write_then_read_is_the_same(screening_set):
    volumes = read_screening_manifest(screening_set.write()).volumes
    again = screening_set.folder / "again.csv"
    write_screening_manifest(again, volumes)
    assert again.read_text() == screening_set.text()
    assert read_screening_manifest(again).volumes == volumes


def test_faultless_data_have_no_problem(screening_set):
    screening_set.write()
    assert screening_set.check(need=("train", "eval")) == []


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"vfi": "100.5"}, "vfi 100.5 is impossible: it lies in 0..100 %"),
        ({"vfi": "-1"}, "vfi -1 is impossible"),
        ({"md": "-41"}, "md -41 is impossible: it lies in -40..10 dB"),
        ({"md": "11"}, "md 11 is impossible"),
        ({"psd": "-0.1"}, "psd -0.1 is impossible: it lies in 0..25 dB"),
        ({"psd": "25.1"}, "psd 25.1 is impossible"),
        ({"md": "nan"}, "md 'nan' is not a number"),
        ({"md": "inf"}, "md 'inf' is not a number"),
        ({"vfi": "97%"}, "vfi '97%' is not a number"),
        ({"glaucoma": "2"}, "glaucoma '2' is none of 0, 1"),
        ({"glaucoma": ""}, "glaucoma '' is none of 0, 1"),
        ({"eye": "left"}, "eye 'left' is none of OD, OS, R, L"),
        ({"visit": ""}, "visit is empty"),
        ({"oct": ""}, "oct is empty"),
        ({"oct": "gone.npy"}, "does not exist"),
        ({"oct": "v3.npy"}, "oct is already that of line 2"),
        ({"patient": "p3"}, "patient 'p3' is in val here and in train on line 2"),
        ({"id": "v2"}, "id 'v2' is already"),
    ],
)
def test_fault_is_reported(screening_set, cells, words):
    screening_set.rows[0] |= cells
    screening_set.write()
    assert words in reasons(errors(screening_set.check()))
    with pytest.raises(ManifestError):
        read_screening_manifest(screening_set.path)


def test_limits_themselves_are_possible(screening_set):
    screening_set.rows[0] |= {"vfi": "0", "md": "-40", "psd": "25"}
    screening_set.rows[1] |= {"vfi": "100", "md": "10", "psd": "0"}
    problems = screening_set.check() if screening_set.write() else None
    assert not errors(problems)
    told = reasons(problems)
    assert "2 of 4 md values lie outside -33..3" in told
    assert "1 of 4 psd values lie outside 0..20" in told
    assert "vfi" not in told


def test_volumes_of_a_visit_agree(screening_set):
    screening_set.rows[4] |= {"patient": "p1", "glaucoma": "1"}
    screening_set.write()
    assert "glaucoma is 1, but 0 on line 2" in reasons(errors(screening_set.check()))
    screening_set.rows[4] |= {"glaucoma": "0", "md": "-9"}
    screening_set.write()
    problems = screening_set.check()
    assert "md is -9, but -3.5 on line 2" in reasons(problems)
    assert not errors(problems)


def test_a_class_without_donor_is_an_error(screening_set):
    screening_set.rows[1]["psd"] = ""
    screening_set.write()
    assert not errors(screening_set.check())
    told = reasons(errors(screening_set.check(need=("train",))))
    assert "no glaucoma volume in train has psd, so that none can lend it to the 2" in told
    assert "no normal" not in told


def test_donors_are_asked_for_only_where_surrogates_are_used(screening_set):
    screening_set.rows[1]["psd"] = ""
    screening_set.write()
    assert not errors(screening_set.check(need=("train",), surrogates=False))
    assert "to the 2 that lack it" in reasons(screening_set.check(need=("train",)))
    # Where all have their own, nobody borrows; elsewhere than in train nobody does either.
    screening_set.rows = screening_set.rows[:4]
    screening_set.rows[1]["psd"] = "3"
    screening_set.rows[2]["psd"] = ""
    screening_set.write()
    assert not errors(screening_set.check(need=("train",)))


def test_a_volume_that_would_borrow_its_own_field_is_told(screening_set):
    screening_set.rows[4] |= {"patient": "p1"}
    screening_set.write()
    problems = screening_set.check()
    assert "line 6: md is empty, but -3.5 on line 2, the same eye visit" in reasons(problems)
    assert not errors(problems)
    screening_set.rows[0], screening_set.rows[4] = screening_set.rows[4], screening_set.rows[0]
    screening_set.write()
    assert "line 2: md is empty, but -3.5 on line 6" in reasons(screening_set.check())


def test_a_class_that_is_absent_is_an_error(screening_set):
    screening_set.rows = [r for r in screening_set.rows if r["glaucoma"] == "0"]
    screening_set.write()
    told = reasons(errors(screening_set.check(need=("train",))))
    assert "no volume in train is glaucoma" in told


def test_everything_is_listed_at_once(screening_set):
    """Bad cells, bad files, leaks and missing donors of one manifest, in one list."""
    folder = screening_set.folder
    np.save(folder / "v1.npy", np.zeros((2, 4, 16, 16), np.uint8))
    nan = np.ones((4, 16, 16), np.float32)
    nan[1, 2, 3] = np.nan
    np.save(folder / "v2.npy", nan)
    (folder / "v3.npy").write_bytes((folder / "v3.npy").read_bytes()[:-9])
    np.save(folder / "v5.npy", np.zeros((5000, 8, 8), np.uint8))
    screening_set.rows[3] |= {"patient": "p1", "md": "12"}
    screening_set.rows[1]["vfi"] = ""
    screening_set.write()
    told = reasons(errors(screening_set.check(need=("train", "eval"))))
    for words in (
        "line 2: " + str(folder / "v1.npy") + ": has shape (2, 4, 16, 16): a volume has three axes",
        "line 3: " + str(folder / "v2.npy") + ": holds 1 of 1024 voxels that are NaN",
        "line 4: " + str(folder / "v3.npy") + ": is truncated",
        "line 5: md 12 is impossible",
        "line 5: patient 'p1' is in test here and in train on line 2",
        "line 6: " + str(folder / "v5.npy") + ": has an absurd size, 5000 x 8 x 8",
        "no glaucoma volume in train has vfi, so that none can lend it",
    ):
        assert words in told, (words, told)


def test_the_same_eye_in_two_splits(screening_set):
    """By its patient, and by its scan under another name and another patient."""
    folder = screening_set.folder
    screening_set.rows[0] |= {"patient": "p3"}
    (folder / "v4.npy").write_bytes((folder / "v2.npy").read_bytes())
    screening_set.write()
    told = reasons(errors(screening_set.check()))
    assert "patient 'p3' is in val here and in train on line 2" in told
    assert f"{folder / 'v4.npy'}: is a copy of {folder / 'v2.npy'} (line 3)" in told
    assert "the splits share an eye" in told


def test_volumes_are_opened(screening_set):
    np.save(screening_set.folder / "v1.npy", np.zeros((2, 16, 16), np.float32))
    (screening_set.folder / "v4.npy").write_bytes((screening_set.folder / "v2.npy").read_bytes())
    screening_set.write()
    told = reasons(errors(screening_set.check()))
    assert "constant" in told
    assert "copy of" in told
    assert not errors(screening_set.check(deep=False))


def test_mean_deviation_alone_is_a_field_to_lend(screening_set):
    for row in screening_set.rows:
        row |= {"vfi": "", "psd": ""}
    screening_set.write()
    assert not errors(screening_set.check(need=("train",)))
    for row in screening_set.rows:
        row["md"] = ""
    screening_set.write()
    told = reasons(errors(screening_set.check(need=("train",))))
    assert "no volume in train has any of vfi, md, psd" in told


def test_a_class_that_is_a_threshold_of_md_is_told(screening_set):
    rows = []
    for index in range(60):
        row = dict(screening_set.rows[0], id=f"v{index}", patient=f"q{index}", split="train")
        rows.append(row | {"glaucoma": str(index % 2), "md": str(-2 - index if index % 2 else 1)})
    screening_set.rows = [row | {"md": str(max(-30, float(row["md"])))} for row in rows]
    screening_set.write()
    told = reasons(screening_set.check(need=("train",), deep=False))
    assert "in all 60 volumes with md the class is md <= -3 dB" in told and "circular" in told
    screening_set.rows[0]["md"] = "-9"
    screening_set.write()
    assert "circular" not in reasons(screening_set.check(need=("train",), deep=False))
