"""The files that --fundus and --oct stand for: one, those of a folder, or those of a pattern.

What is worth a word is told to `say`.
"""

import dataclasses
import glob
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

from data_pipelines.dicom_files import frames_of, is_dicom_file, read_dataset
from data_pipelines.images import IMAGE_SUFFIXES, is_dicom, open_image
from data_pipelines.likely_names import LikelyFiles, difference, same_name_key
from data_pipelines.litter import is_litter
from data_pipelines.npz_member import split_member
from data_pipelines.volume_files import VOLUME_SUFFIXES, dicom_files_of, natural_key

SHOWN = 5  # names in a sentence
Say = Callable[[str], None]


class NothingAsked(ValueError):
    """What is asked for is not there, or cannot be told apart; says what to do."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """Files to predict.

    Attributes:
      files: in the order of the numbers in their names.
      base: the folder that they were looked for in.
      many: whether a folder or a pattern was given: then one bad file does not end the rest.
    """

    files: tuple[pathlib.Path, ...]
    base: pathlib.Path
    many: bool

    @property
    def keys(self) -> list[str]:
        """Paths below the base without their endings: what photographs and volumes share."""
        return [_without_ending(file).relative_to(self.base).as_posix() for file in self.files]


def asked_photographs(given: str, say: Say = lambda words: None) -> Asked:
    """The photographs that --fundus=`given` stands for. Raises NothingAsked where there is none."""
    return _asked("fundus", given, os.path.isfile, _is_photograph, "photograph", say)


def asked_volumes(given: str, say: Say = lambda words: None) -> Asked:
    """The volumes that --oct=`given` stands for. Raises NothingAsked where there is none.

    A folder of B-scans is one volume, any other folder is one of volumes.
    """
    return _asked("oct", given, is_volume, is_volume, "OCT volume", say)


def volumes_beside(
    given: str | None, photographs: Asked, say: Say = lambda words: None
) -> list[pathlib.Path | None]:
    """The volume of each photograph, None where it has none.

    Args:
      given: --oct: the volume of one photograph, or a folder or a pattern of volumes that are named
        as the photographs are; None = there are none.
      photographs: from `asked_photographs`.

    Raises:
      NothingAsked: no volume belongs to any photograph.
    """
    if given is None:
        return [None] * len(photographs.files)
    volumes = asked_volumes(given, say)
    if not volumes.many and len(photographs.files) == 1:
        return list(volumes.files)
    if not volumes.many:
        raise NothingAsked(
            f"--oct={given} is one volume for {len(photographs.files)} photographs; give the folder "
            "of their volumes, named as the photographs are"
        )
    found = _by_key(volumes)
    scans = [found.pop(key, None) for key in photographs.keys]
    if not any(scans):
        raise NothingAsked(
            f"--oct={given}: no volume is named as a photograph is: {shortened(photographs.keys)} beside "
            f"{shortened(found)}; name them alike, or write a manifest"
        )
    if photographs.many:
        say(f"{sum(s is not None for s in scans)} of {len(scans)} photographs have an OCT volume")
        if found:
            say(f"no photograph belongs to the volumes {shortened(found)}")
    return scans


def distinct_names(asked: Asked) -> list[str]:
    """Names of the results: the files' own, with their folders or endings where two are alike."""
    below = [file.relative_to(asked.base) for file in asked.files]
    spellings: tuple[Callable[[pathlib.Path], str], ...] = (
        lambda path: _without_ending(asked.base / path).name,
        lambda path: "_".join(_without_ending(asked.base / path).relative_to(asked.base).parts),
        lambda path: "_".join(path.parts).replace(".", "_"),
    )
    for spelling in spellings:
        names = [spelling(path) for path in below]
        if len({same_name_key(name) for name in names}) == len(names):
            return names
    raise NothingAsked(f"two files in {asked.base} would have results of one name; rename one")


def require_apart(out: pathlib.Path, asked: Asked) -> None:
    """Raises NothingAsked where predictions would lie among the files that they are made of."""
    if any(file.parent.resolve() == out.resolve() for file in asked.files):
        raise NothingAsked(f"--out={out} holds the files to predict, and the pictures written there "
                        "would be predicted the next time; give another folder")  # fmt: skip


def is_volume(path: os.PathLike | str) -> bool:
    """Whether a file by its ending, or a folder by what it holds, is one OCT volume."""
    path = pathlib.Path(path)
    if path.is_dir():
        return _holds_b_scans(path)
    known = split_member(path)[0].suffix.lower() in {*VOLUME_SUFFIXES, *IMAGE_SUFFIXES}
    return known or is_dicom_file(path)


def _holds_b_scans(folder: pathlib.Path) -> bool:
    """Whether a folder has pictures, or DICOM files, and no file that is a volume by itself."""
    if files := dicom_files_of(folder):
        return len(files) == 1 or _frames_of_dicom(files[0]) == 1
    files = [file for file in folder.iterdir() if not is_litter(file.name) and file.is_file()]
    pictures = [file for file in files if _is_picture(file)]
    others = {*VOLUME_SUFFIXES} - {*IMAGE_SUFFIXES}
    if not pictures or any(file.suffix.lower() in others for file in files):
        return False
    return not any(_has_frames(file) for file in pictures)


def _frames_of_dicom(path: pathlib.Path) -> int:
    try:
        return frames_of(read_dataset(path, pixels=False))
    except ValueError:  # whoever reads it says what is wrong
        return 1


def _has_frames(picture: pathlib.Path) -> bool:
    """Whether a picture is a TIFF of several frames, which is a volume by itself."""
    if picture.suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        with open_image(picture) as image:
            return getattr(image, "n_frames", 1) > 1
    except ValueError:  # whoever reads it says what is wrong
        return False


def _asked(
    flag: str,
    given: str,
    is_one: Callable[[str], bool],
    is_wanted: Callable[[pathlib.Path], bool],
    what: str,
    say: Say,
) -> Asked:
    path = pathlib.Path(given)
    if split_member(path)[0].is_file() or (path.is_dir() and is_one(given)):
        return Asked((path,), path.parent, many=False)
    if path.is_dir():
        base, found = path, list(path.iterdir())
    elif glob.has_magic(given):
        base, found = _before_magic(given), [*map(pathlib.Path, glob.glob(given, recursive=True))]
    else:
        raise NothingAsked(f"--{flag}={given}: no such file or folder{_hint(given)}")
    clean = [file for file in found if not any(map(is_litter, file.relative_to(base).parts))]
    wanted = [file for file in clean if is_wanted(file)]
    if not wanted:
        raise NothingAsked(f"--{flag}={given}: no {what} is there{_instead(given, clean)}")
    others = [file.name for file in set(clean) - set(wanted) if file.is_file()]
    if others:
        say(f"{given}: {shortened(sorted(others))} left out, no {what} by its name")
    wanted.sort(key=lambda file: [natural_key(part) for part in file.parts])
    return Asked(tuple(wanted), base, many=True)


def _is_photograph(path: pathlib.Path) -> bool:
    return _is_picture(path) or (path.is_file() and is_dicom(path))


def _is_picture(path: pathlib.Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _before_magic(pattern: str) -> pathlib.Path:
    """The folder of a pattern that is named without wildcards."""
    parts = pathlib.Path(pattern).parts
    return pathlib.Path(*itertools.takewhile(lambda part: not glob.has_magic(part), parts))


def _without_ending(file: pathlib.Path) -> pathlib.Path:
    # What follows the last point of a number (1.2.840.10008, archives name files so) is no ending.
    return file if file.is_dir() or file.suffix[1:].isdigit() else file.with_suffix("")


def _by_key(volumes: Asked) -> dict[str, pathlib.Path]:
    """Key -> volume; of several with one key it cannot be known which is meant."""
    found: dict[str, pathlib.Path] = {}
    for key, file in zip(volumes.keys, volumes.files, strict=True):
        if key in found:
            raise NothingAsked(f"{found[key]} and {file} are both named {key}; keep one of them")
        found[key] = file
    return found


def _hint(given: str) -> str:
    """Which file was likely meant with one that is not there."""
    root = "/" if os.path.isabs(given) else "."
    path = split_member(pathlib.Path(given))[0].as_posix()
    meant = LikelyFiles().meant(root, os.path.normpath(path).lstrip("/"))
    if meant is None:
        return ""
    meant = os.path.join("/", meant) if root == "/" else meant
    return f"; there is {meant!r}{difference(path, meant)}"


def _instead(given: str, found: Sequence[pathlib.Path]) -> str:
    """What a folder or pattern holds where it has nothing that can be predicted."""
    folders = sorted(file.name for file in found if file.is_dir())
    if folders and not glob.has_magic(given):
        return f", but the folders {shortened(folders)}: give one, or the pattern '{given}/*/*'"
    return f", but {shortened(sorted(file.name for file in found))}" if found else ""


def shortened(names: Iterable[str]) -> str:
    """The first few names, and how many there are."""
    names = list(names)
    more = f", ... ({len(names)})" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
