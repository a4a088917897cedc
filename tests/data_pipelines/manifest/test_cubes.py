"""The maker of cubes whose names tell patient and class."""

import numpy as np
import pytest

from data_pipelines.manifest import check_screening_manifest, errors, read_screening_manifest
from data_pipelines.manifest.__main__ import main
from data_pipelines.manifest.makers.cubes import find_cubes


def save(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.random.default_rng(seed).integers(0, 256, (4, 16, 12), np.uint8))


@pytest.fixture
def root(tmp_path):
    """40 volumes of 20 patients, named as the public ones: both eyes, a quarter normal."""
    root = tmp_path / "cubes"
    for patient in range(20):
        label = "Normal" if patient % 4 == 0 else "POAG"
        for eye in ("OD", "OS"):
            save(
                root / f"{label}-{patient:06d}-2012-02-08-{eye}.npy",
                seed=2 * patient + (eye == "OD"),
            )
    return root


def make(root, out, *options):
    return main(["--layout=cubes", f"--root={root}", f"--out={out}", *options])


def test_public_names(root, tmp_path, capsys):
    assert make(root, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "40 volumes (train 24, val 8, test 8) of 20 patients; normal/glaucoma: 10/30" in told
    assert "0 with visual field" in told and "only the class can be learned" in told
    manifest = read_screening_manifest(tmp_path / "out/manifest.csv")
    volume = next(v for v in manifest.volumes if v.id == "POAG-000001-2012-02-08-OS")
    assert (volume.patient, volume.eye, volume.visit) == ("000001", "OS", "2012-02-08")
    assert (volume.glaucoma, volume.vfi) == (1, None)
    assert volume.oct == root / "POAG-000001-2012-02-08-OS.npy"
    problems = check_screening_manifest(manifest.path, need=("train", "eval"), surrogates=False)
    assert not errors(problems)


def test_splits_are_by_patient_and_alike_in_both_classes(root, tmp_path):
    make(root, tmp_path / "out", "--val_fraction=0.25", "--test_fraction=0.25", "--seed=3")
    volumes = read_screening_manifest(tmp_path / "out/manifest.csv").volumes
    split_of = {}
    for volume in volumes:
        assert split_of.setdefault(volume.patient, volume.split) == volume.split
    for split in ("val", "test"):
        labels = [v.glaucoma for v in volumes if v.split == split]
        assert len(labels) == 10 and 2 <= labels.count(0) <= 4


def test_seed_and_folds(root, tmp_path):
    def splits(name, *options):
        assert make(root, tmp_path / name, *options) == 0
        return {
            path.name: [v.split for v in read_screening_manifest(path).volumes]
            for path in sorted((tmp_path / name).glob("*.csv"))
        }

    assert splits("a") == splits("b") != splits("c", "--seed=1")
    folds = splits("folds", "--folds=4")
    assert len(folds) == 4
    assert all(sum(names[i] == "test" for names in folds.values()) == 1 for i in range(40))


def test_own_pattern_and_words(tmp_path):
    for patient in range(8):
        label = "sick" if patient % 2 else "Well"
        name = f"P{patient}_L_v2_vfi{90 - patient}_md-{patient}.5_psd{patient}.npy"
        save(tmp_path / "cubes" / label / name, seed=patient)
    pattern = (
        r"(?P<glaucoma>\w+)/(?P<patient>P\d+)_(?P<eye>[RL])_v(?P<visit>\d)_vfi(?P<vfi>\d+)"
        r"_md(?P<md>[-\d.]+)_psd(?P<psd>\d+)"
    )
    options = (f"--pattern={pattern}", "--glaucoma_words=Sick, ill", "--normal_words=well")
    assert make(tmp_path / "cubes", tmp_path / "out", *options) == 0
    volumes = read_screening_manifest(tmp_path / "out/manifest.csv").volumes
    third = next(v for v in volumes if v.patient == "P3")
    assert (third.eye, third.visit, third.glaucoma) == ("OS", "2", 1)
    assert (third.vfi, third.md, third.psd) == (87.0, -3.5, 3.0)


def test_what_the_names_do_not_tell_is_said(tmp_path):
    for name in ("a/p1_glaucoma", "b/p1_glaucoma", "b/p2_normal"):
        save(tmp_path / f"{name}.npy")
    found = find_cubes(tmp_path, r"(?P<patient>p\d)_(?P<label>\w+)")
    assert [v.id for v in found.volumes] == ["a_p1_glaucoma", "b_p1_glaucoma", "p2_normal"]
    assert {(v.eye, v.visit) for v in found.volumes} == {("OD", "1")}
    told = " ".join(found.notes)
    assert "right eyes from left" in told and "no visits" in told and "visual field" in told


def test_other_forms_are_found_and_other_files_left_alone(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    save(tmp_path / ".cache" / "junk.npy")
    for name in ("POAG-1-2012-02-08-OD.tif", "Normal-2-2012-02-08-OD.dcm"):
        (tmp_path / name).write_bytes(b"x")
    found = find_cubes(tmp_path)
    assert not found.problems
    assert [v.glaucoma for v in found.volumes] == [0, 1]


def test_problems_are_listed_at_once(root, tmp_path, capsys):
    save(root / "stranger.npy")
    save(root / "inner" / "scan 3.npy")
    for name in ("Suspect-000001-2012-02-08-OD", "Suspect-000002-2012-02-08-OD"):
        save(root / f"{name}.npy")
    pattern = r"(?P<label>[A-Z]\w+)-(?P<patient>\d+)-(?P<visit>[\d-]+)-(?P<eye>O[DS])"
    assert make(root, tmp_path / "out", f"--pattern={pattern}", "--folds=99") == 1
    told = capsys.readouterr().err
    assert "is not in the names of 2 files: inner/scan 3.npy, stranger.npy" in told
    assert "words of neither class: 'suspect' (2 files)" in told
    assert "folds must be at least 2 and at most the number of patients" in told
    assert "3 errors" in told
    assert not (tmp_path / "out").exists()


def test_values_in_names_are_checked(tmp_path):
    save(tmp_path / "p1_glaucoma_md-99_OX.npy")
    pattern = r"(?P<patient>p\d)_(?P<label>[a-z]+)_md(?P<md>[-\d]+)_(?P<eye>\w\w)"
    found = find_cubes(tmp_path, pattern)
    told = " ".join(map(str, found.problems))
    assert "md -99 is impossible" in told and "eye 'OX' is none of" in told
    assert not found.volumes


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?P<patient>x", "no regular expression"),
        ("(?P<patient>x)", "must have the groups"),
        ("(?P<label>x)", "must have the groups"),
        ("(?P<patient>x)(?P<label>y)(?P<glaucoma>z)", "must have the groups"),
        ("(?P<patient>x)(?P<label>y)(?P<age>z)", "no column for the groups age"),
    ],
)
def test_patterns_that_cannot_work(tmp_path, pattern, words):
    with pytest.raises(ValueError, match=words):
        find_cubes(tmp_path, pattern)


def test_a_word_of_both_classes(tmp_path):
    with pytest.raises(ValueError, match="'a' is a word of both classes"):
        find_cubes(tmp_path, glaucoma_words=("A",), normal_words=("a", "b"))


def test_an_empty_folder(tmp_path, capsys):
    (tmp_path / "cubes").mkdir()
    assert make(tmp_path / "cubes", tmp_path / "out") == 1
    assert "holds no volume (.npy" in capsys.readouterr().err
