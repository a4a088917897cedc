"""What damaged files are given to: everything that reads a file from somebody else."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import pickle
import shutil
from collections.abc import Callable, Mapping

import numpy as np
import tifffile
from PIL import Image
from safetensors.numpy import save as safetensors_bytes

import imo_jax
from data_pipelines import images
from data_pipelines.bad_file import BadFile
from data_pipelines.manifest import ManifestError, read_manifest, read_screening_manifest
from data_pipelines.manifest.check import check_manifest, check_screening_manifest
from data_pipelines.volumes import read_volume
from experiments.config import RunConfig
from experiments.runtime import UserError
from experiments.saved_run import restore_run
from imo_jax.weights.files import read_state_dict

RUNS = pathlib.Path(__file__).parents[1] / "run_folders"
SHAPE = (4, 12, 10)  # of a volume
SIDE = 40  # of a photograph in pixels


class Trap:
    """Pickled, it is a file at SPRUNG once it is read with code."""

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {os.environ['MUTATION_TRAP']}",)


@dataclasses.dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
      seeds: name of a file -> its bytes, which are read without complaint.
      read: reads a file at a path.
      may_raise: what it says of a file that it does not take.
      share: of all inputs, how many more or less than the others.
      text: whether the file is text.
      around: what must lie beside the file: folder -> the place of the file in it.
    """

    seeds: Mapping[str, bytes]
    read: Callable[[pathlib.Path], object]
    may_raise: tuple[type[Exception], ...]
    share: float = 1.0
    text: bool = False
    around: Callable[[pathlib.Path], None] = lambda folder: None


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photographs() -> dict[str, bytes]:
    rows = np.linspace(40, 200, SIDE).astype(np.uint8)
    picture = Image.fromarray(np.stack([np.add.outer(rows // 2, rows // 3)] * 3, -1))
    grey = picture.convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "a.jpg": encoded(picture, "JPEG", exif=exif),
        "b.png": encoded(picture, "PNG"),
        "c.png": encoded(picture.quantize(16), "PNG"),
        "d.tif": encoded(picture, "TIFF", compression="tiff_lzw"),
        "e.tif": encoded(grey, "TIFF"),
        "f.bmp": encoded(picture, "BMP"),
    }


def masks() -> dict[str, bytes]:
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[10:30, 10:30], ids[16:24, 16:24] = 1, 2
    array = io.BytesIO()
    np.save(array, ids)
    return {
        "a.png": encoded(Image.fromarray(ids), "PNG"),
        "b.tif": encoded(Image.fromarray(ids), "TIFF"),
        "c.npy": array.getvalue(),
    }


def volumes() -> dict[str, bytes]:
    volume = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    plain, packed, traps, tiff = (io.BytesIO() for _ in range(4))
    np.save(plain, volume)
    np.savez_compressed(packed, volume=volume)
    np.save(traps, np.array([Trap(), 1], object), allow_pickle=True)
    tifffile.imwrite(tiff, volume, photometric="minisblack")
    return {
        "a.npy": plain.getvalue(),
        "b.npz": packed.getvalue(),
        "c.npy": traps.getvalue(),
        "d.tif": tiff.getvalue(),
        "e.dcm": dicom(volume),
    }


def dicom(volume: np.ndarray) -> bytes:
    import pydicom

    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.4"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = volume.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PerFrameFunctionalGroupsSequence = [frame(k) for k in range(len(volume))]
    dataset.PixelData = volume.tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def frame(k: int):
    import pydicom

    place = pydicom.Dataset()
    place.ImagePositionPatient = [0.0, 0.25 * k, 0.0]
    group = pydicom.Dataset()
    group.PlanePositionSequence = [place]
    return group


def weights() -> dict[str, bytes]:
    state = {"stem.weight": np.ones((4, 3, 2, 2), np.float32), "head.bias": np.zeros(4, np.float32)}
    packed = io.BytesIO()
    np.savez(packed, **state)
    return {
        "a.npz": packed.getvalue(),
        "b.safetensors": safetensors_bytes(state),
        "c.pth": pickle.dumps({"state_dict": Trap()}),
    }


MANIFEST = b"""id,patient,split,fundus,oct,mask,grade,glaucoma,eye,mm_per_pixel,oct_axes,oct_range,mask_codes
e1,p1,train,a.jpg,a.npy,a.png,0,0,OD,0.005,,,"bg:0,rim:1,cup:2,ignore:255"
e2,p2,val,b.png,,,1,1,OS,,"depth,width,slices",0..40,
e3,p3,test,f.bmp,d.tif,,2,,,,,,
"""
SCREENING = b"""id,patient,eye,visit,split,oct,glaucoma,vfi,md,psd
v1,p1,OD,1,train,a.npy,0,98.5,-0.3,1.2
v2,p2,OS,1,train,b.npz,1,,,
v3,p3,OD,2,test,d.tif,1,60,-12.5,9.25
"""


def beside(folder: pathlib.Path) -> None:
    """The files that the manifests name."""
    for files in (photographs(), volumes(), {"a.png": masks()["a.png"]}):
        for name, content in files.items():
            (folder / name).write_bytes(content)


def check(path: pathlib.Path) -> None:
    """As every run on eyes begins."""
    check_manifest(path, need=("train", "eval"))
    read_manifest(path)


def check_screening(path: pathlib.Path) -> None:
    check_screening_manifest(path, need=("train", "eval"))
    read_screening_manifest(path)


def run_files(kind: str, *patterns: str) -> dict[str, bytes]:
    """Files of a small run, by their places in its folder."""
    found = [path for pattern in patterns for path in sorted((RUNS / kind).glob(pattern))]
    return {str(path.relative_to(RUNS / kind)): path.read_bytes() for path in found}


def run_of(kind: str) -> Callable[[pathlib.Path], None]:
    return lambda folder: shutil.copytree(RUNS / kind, folder, dirs_exist_ok=True)


def load(path: pathlib.Path) -> None:
    """From Python, and as the programs do; `path` is a file of the run."""
    folder = next(parent for parent in path.parents if (parent / "checkpoints").is_dir())
    with contextlib.suppress(FileNotFoundError, ValueError):
        imo_jax.load(folder)
    restore_run(str(folder), {}, "best", RunConfig)


def settings(path: pathlib.Path) -> None:
    """config.json alone: what it says is looked at before any array is."""
    values = json.loads(path.read_text(encoding="utf-8"))
    from imo_jax.settings.saved import from_json

    from_json(RunConfig, values, "imo")


class Predicted:
    """A predictor that is made once."""

    def __init__(self) -> None:
        self._predictor = None

    def __call__(self, path: pathlib.Path) -> None:
        if self._predictor is None:
            self._predictor = imo_jax.load(RUNS / "imo")
        given = (RUNS / "eye.jpg", path) if path.suffix in (".npy", ".npz") else (path, None)
        self._predictor.predict(*given)


def targets() -> dict[str, Target]:
    """Name -> reader."""
    eye = {"eye.jpg": (RUNS / "eye.jpg").read_bytes(), "eye.npy": (RUNS / "eye.npy").read_bytes()}
    return {
        "photograph": Target(photographs(), images.read_fundus, (BadFile,), 3),
        "mask": Target(masks(), images.read_mask, (BadFile,), 2),
        "volume": Target(volumes(), read_volume, (BadFile,), 4),
        "weights": Target(weights(), read_state_dict, (ValueError, ImportError), 2),
        "manifest": Target(
            {"manifest.csv": MANIFEST}, check, (ManifestError,), 2, text=True, around=beside
        ),
        "screening": Target(
            {"screening.csv": SCREENING},
            check_screening,
            (ManifestError,),
            1,
            text=True,
            around=beside,
        ),
        "settings": Target(
            run_files("imo", "config.json"), settings, (ValueError,), 4, text=True
        ),
        "predictor": Target(eye, Predicted(), (ValueError,), 0.3),
        "run": Target(
            run_files("imo", "config.json", "*.npz", "checkpoints/**/*METADATA", "checkpoints/*/progress/*"),
            load,
            (UserError,),
            0.15,
            text=True,
            around=run_of("imo"),
        ),
    }  # fmt: skip
