"""Which files --fundus and --oct stand for."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from data_pipelines.asked_files import (
    NothingAsked,
    asked_photographs,
    asked_volumes,
    distinct_names,
    is_volume,
    require_apart,
    volumes_beside,
)


def touch(root: pathlib.Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def picture(path: pathlib.Path, frames: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [Image.fromarray(np.full((4, 4), n, np.uint8)) for n in range(frames)]
    first.save(path, save_all=frames > 1, **({"append_images": rest} if rest else {}))


def names(asked):
    return [file.relative_to(asked.base).as_posix() for file in asked.files]


def test_a_folder_is_its_photographs_in_the_order_of_their_numbers(tmp_path):
    touch(
        tmp_path, "eye10.jpg", "eye9.JPG", "b.png", "Thumbs.db", ".DS_Store", "._eye9.jpg",
        "__MACOSX/eye9.jpg", "notes.txt", "masks/eye9.png",
    )  # fmt: skip
    words = []
    asked = asked_photographs(str(tmp_path), words.append)
    assert names(asked) == ["b.png", "eye9.JPG", "eye10.jpg"] and asked.many
    assert distinct_names(asked) == ["b", "eye9", "eye10"]
    (said,) = words
    assert "notes.txt left out" in said and "Thumbs" not in said and "masks" not in said


def test_a_pattern_reaches_into_folders_whose_names_tell_eyes_apart(tmp_path):
    touch(tmp_path, "p2/OD.jpg", "p10/OD.jpg", "p10/OS.jpg", "__MACOSX/OD.jpg")
    asked = asked_photographs(f"{tmp_path}/*/*.jpg")
    assert names(asked) == ["p2/OD.jpg", "p10/OD.jpg", "p10/OS.jpg"]
    assert distinct_names(asked) == ["p2_OD", "p10_OD", "p10_OS"]
    touch(tmp_path, "p2/OD.png")
    asked = asked_photographs(f"{tmp_path}/p2/*")
    assert distinct_names(asked) == ["OD_jpg", "OD_png"]
    touch(tmp_path, "same/a/b_c.jpg", "same/a_b/c.jpg", "same/x/c.jpg")
    with pytest.raises(NothingAsked, match="two files .* one name"):
        distinct_names(asked_photographs(f"{tmp_path}/same/*/*"))


def test_a_file_is_one_photograph_whatever_its_name(tmp_path):
    touch(tmp_path, "eye [1].xyz")
    asked = asked_photographs(f"{tmp_path}/eye [1].xyz")
    assert names(asked) == ["eye [1].xyz"] and not asked.many


@pytest.mark.parametrize(
    "given, says",
    [
        ("eyes/Eye07.jpg", r"no such file or folder; there is '.*eyes/eye7\.jpg'"),
        ("Eyes/eye7.jpg", "there is '.*eyes/eye7.jpg': capital and small letters differ"),
        ("eyes/eye7.png", r"there is '.*eyes/eye7\.jpg'"),
        ("eyes/other.jpg", "other.jpg: no such file or folder$"),
        ("eyes/*.png", "no photograph is there$"),
        (".", "no photograph is there, but the folders eyes, volumes: give one"),
        ("volumes", "no photograph is there, but eye7.npy"),
    ],
)
def test_what_is_not_there_is_told_with_what_was_likely_meant(tmp_path, given, says):
    touch(tmp_path, "eyes/eye7.jpg", "volumes/eye7.npy")
    with pytest.raises(NothingAsked, match=says):
        asked_photographs(str(tmp_path / given))


def test_a_relative_path_is_answered_with_a_relative_one(tmp_path, monkeypatch):
    touch(tmp_path, "eyes/eye7.jpg")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NothingAsked, match="there is 'eyes/eye7.jpg'"):
        asked_photographs("./eyes/eye07.jpg")


def test_a_folder_is_one_volume_or_many_by_what_it_holds(tmp_path, write_dicom_photograph):
    picture(tmp_path / "scans" / "1.png")
    picture(tmp_path / "scans" / "2.png")
    picture(tmp_path / "tiffs" / "a.tif", frames=3)
    picture(tmp_path / "one" / "a.tif")
    for name in ("slices/1.dcm", "slices/2", "export/one.dcm", "dicoms/a.dcm", "dicoms/b.dcm"):
        frames = {"NumberOfFrames": 3} if "dicoms" in name else {}
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_dicom_photograph(
            tmp_path / name, np.zeros((4, 4), np.uint8), photometric="MONOCHROME2", **frames
        )
    touch(tmp_path, "cubes/a.npy", "cubes/a.png", "cubes/b.dcm", "empty/notes.txt")
    assert is_volume(tmp_path / "scans") and is_volume(tmp_path / "one")
    assert is_volume(tmp_path / "slices") and is_volume(tmp_path / "export")
    assert not any(is_volume(tmp_path / name) for name in ("tiffs", "cubes", "empty", "dicoms"))
    assert names(asked_volumes(f"{tmp_path}/slices/*")) == ["1.dcm", "2"]
    one = asked_volumes(str(tmp_path / "scans"))
    assert names(one) == ["scans"] and not one.many
    assert names(asked_volumes(str(tmp_path / "tiffs"))) == ["a.tif"]
    assert names(asked_volumes(str(tmp_path))) == ["export", "one", "scans", "slices"]
    with pytest.raises(NothingAsked, match="no OCT volume is there"):
        asked_volumes(str(tmp_path / "empty"))


def test_volumes_belong_to_photographs_of_their_name(tmp_path):
    touch(tmp_path, "eyes/1.jpg", "eyes/2.jpg", "eyes/3.jpg", "oct/3.npy", "oct/4.npy")
    picture(tmp_path / "oct" / "1" / "0.png")
    photographs = asked_photographs(str(tmp_path / "eyes"))
    words = []
    found = volumes_beside(str(tmp_path / "oct"), photographs, words.append)
    assert found == [tmp_path / "oct" / "1", None, tmp_path / "oct" / "3.npy"]
    said = "\n".join(words)
    assert "2 of 3 photographs have an OCT volume" in said and "volumes 4" in said
    assert volumes_beside(None, photographs) == [None] * 3
    one = asked_photographs(str(tmp_path / "eyes" / "3.jpg"))
    assert volumes_beside(str(tmp_path / "oct"), one) == [tmp_path / "oct" / "3.npy"]
    assert volumes_beside(str(tmp_path / "oct" / "4.npy"), one) == [tmp_path / "oct" / "4.npy"]


def test_volumes_that_cannot_be_told_are_refused(tmp_path):
    touch(tmp_path, "eyes/1.jpg", "eyes/2.jpg", "oct/7.npy", "two/1.npy", "two/1.npz")
    photographs = asked_photographs(str(tmp_path / "eyes"))
    for given, says in (
        ("oct", "no volume is named as a photograph is: 1, 2 beside 7"),
        ("oct/7.npy", "one volume for 2 photographs"),
        ("two", "both named 1"),
    ):
        with pytest.raises(NothingAsked, match=says):
            volumes_beside(str(tmp_path / given), photographs)


def test_predictions_may_not_lie_among_the_photographs(tmp_path):
    touch(tmp_path, "eyes/1.jpg")
    asked = asked_photographs(str(tmp_path / "eyes"))
    require_apart(tmp_path, asked)
    with pytest.raises(NothingAsked, match="give another folder"):
        require_apart(tmp_path / "x" / ".." / "eyes", asked)
