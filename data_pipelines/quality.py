"""What speaks against a photograph or an OCT volume, judged from its pixels alone.

The same is said of the same eye by `--mode=check`, training, evaluation and prediction. A fault
means that it cannot be used, a doubt that it can, but that what is said of it may be wrong.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from data_pipelines import framing
from data_pipelines.volume_form import AS_STORED, VolumeForm
from data_pipelines.volume_numbers import AS_SAID, GUESSED, meaning

NOISE = 30  # grey levels; photographs lie below 8
MIN_FUNDUS_SIDE = 32
MIN_B_SCAN_SIDE = 8
SHARP_SIDE = 256  # pixels of the field at which sharpness is told
DARK = 12  # grey level of green up to which a pixel tells nothing
# Sharpness (docs/quality.md): clear photographs have CLEAR and more; below BLURRED a doubt is said.
CLEAR, BLURRED = 0.19, 0.075
SAY_RANGE = "with --oct_range=LOW..HIGH or a column oct_range"
AT_ONCE = 2**22  # voxels that are held as float32 beside a volume
NEARLY_BLACK = 20  # grey levels of 255 that the brightest hundredth of a photograph must reach


def photograph_faults(image: np.ndarray) -> list[str]:
    """Why a picture cannot be used as a fundus photograph: uint8 (height, width, 3)."""
    height, width = image.shape[:2]
    if min(height, width) < MIN_FUNDUS_SIDE:
        return [
            f"has an absurd size, {width} x {height} pixels: "
            f"a photograph has at least {MIN_FUNDUS_SIDE} a side"
        ]
    if (image == image[0, 0]).all():
        return [f"is of a single colour, {tuple(int(v) for v in image[0, 0])}"]
    return []


def photograph_doubts(image: np.ndarray) -> list[str]:
    """What is odd about a photograph without faults: uint8 (height, width, 3)."""
    height, width = image.shape[:2]
    found = []
    if max(height, width) > 4 * min(height, width):
        found.append(f"is a strip of {width} x {height} pixels: is it a fundus photograph?")
    # The percentile of a subsample is enough to tell a black picture.
    if np.percentile(image[::4, ::4].max(axis=2), 99) < NEARLY_BLACK:
        found.append("is nearly black")
    elif (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        found.append("is grey: the model expects colour photographs")
    elif _roughness(image) > NOISE:
        found.append("is as rough as noise: is it a fundus photograph?")
    elif image[..., 2].mean() > image[..., 0].mean():
        found.append("is more blue than red: is it a fundus photograph?")
    elif (sharp := sharpness(image)) is not None and sharp < BLURRED:
        found.append(f"is blurred (sharpness {sharp:.2f}, a clear one has {CLEAR:g} and more)")
    return found


def sharpness(image: np.ndarray) -> float | None:
    """Fine structure of a photograph relative to coarse: below BLURRED vessels and rim are washed out.

    The standard deviation of the green channel between scales of 0.5 and 1 pixels of a field of
    256, over that between scales of 2 and 8: contrast and exposure cancel.

    Args:
      image: uint8 (height, width, 3).

    Returns:
      0 and more; None where the photograph is too small or too dark to tell.
    """
    if min(image.shape[:2]) < SHARP_SIDE:
        return None
    frame = framing.find_frame(image, SHARP_SIDE)
    green = framing.frame_image(image, frame)[..., 1].astype(np.float32)
    lit = ndimage.binary_erosion(green > DARK, iterations=SHARP_SIDE // 20)
    if lit.mean() < 0.1:
        return None
    fine, less_fine, coarse, coarsest = (
        ndimage.gaussian_filter(green, sigma) for sigma in (0.5, 1, 2, 8)
    )
    contrast = float((coarse - coarsest)[lit].std())
    return float((fine - less_fine)[lit].std()) / contrast if contrast > 0 else None


def _roughness(image: np.ndarray) -> float:
    """Mean step of the grey value between neighbouring pixels of a row, 0..255."""
    grey = image.astype(np.float32).mean(axis=2)
    return float(np.abs(np.diff(grey, axis=1)).mean())


def volume_faults(volume: np.ndarray) -> list[str]:
    """Why an array cannot be used as an OCT volume: (slices, depth, width), uint8 or float32."""
    _, depth, width = volume.shape
    if min(depth, width) < MIN_B_SCAN_SIDE:
        return [
            f"has shape {volume.shape}: B-scans of {depth} x {width} pixels are absurd; "
            "the axes are (slices, depth, width)"
        ]
    if volume.min() == volume.max():
        return [f"is constant: every voxel is {volume.flat[0]:g}"]
    unknown = meaning(volume).unknown
    return [] if unknown is None else [f"{unknown}; say what black and white are {SAY_RANGE}"]


def volume_numbers(volume: np.ndarray, form: VolumeForm = AS_STORED) -> str:
    """In a few words what the numbers of a volume are taken for, see volume_numbers.meaning."""
    return meaning(volume).kind if form.range is None else f"{form.range} {AS_SAID}"


def volume_doubts(volume: np.ndarray, form: VolumeForm = AS_STORED) -> list[str]:
    """What is odd about a volume without faults: (slices, depth, width), taken in a form.

    What the form says is not doubted.
    """
    if len(volume) == 1:
        return ["has a single slice: it is one B-scan, not a volume"]
    found = []
    numbers = meaning(volume)
    if numbers.fill is not None:
        value, share = numbers.fill
        found.append(
            f"holds {value:.6g} in {share:.1%} of its voxels, far below all others: they are taken "
            "as not scanned, and are black"
        )
    if numbers.kind in GUESSED:
        found.append(
            f"holds {numbers.low:.3g} to {numbers.high:.3g}, no grey values of 8 or 16 bits; taken "
            f"as {numbers.kind} to black and white: give all volumes of a set alike, or say what "
            f"black and white are {SAY_RANGE}"
        )
    if form.axes is None and _slices_seem_last(volume):
        found.append(
            f"has shape {volume.shape}, and its last axis looks like the slices: the axes are "
            "(slices, depth, width); if they are not, say so with --oct_axes=depth,width,slices or a "
            "column oct_axes"
        )
    return found


def _slices_seem_last(volume: np.ndarray) -> bool:
    """Whether the last axis is by far the shortest, and the first one seems to be depth.

    Along depth a volume changes most, since it crosses the layers; neighbouring B-scans differ more
    than neighbouring A-scans within one.
    """
    slices, depth, width = volume.shape
    if width < 2 or 2 * width > min(slices, depth):
        return False
    along_first, along_second, along_last = (_change_along(volume, axis) for axis in range(3))
    return along_first > 1.2 * along_second or along_last > along_first


def _change_along(volume: np.ndarray, axis: int) -> float:
    """Mean step between neighbouring planes across an axis, each averaged over 4 x 4 voxels."""
    planes = np.moveaxis(volume, axis, 0)
    height, width = (n - n % 4 for n in planes.shape[1:])

    planes = planes[: max(2, min(len(planes), 256))]

    def averaged(some: np.ndarray) -> np.ndarray:
        some = some.astype(np.float32)
        if min(height, width) < 4:
            return some
        blocks = some[:, :height, :width].reshape(len(some), height // 4, 4, width // 4, 4)
        return blocks.mean(axis=(2, 4))

    # Some at a time: all planes as float32 may take as much memory as the volume.
    number = max(1, AT_ONCE // planes[0].size)
    steps = [
        np.abs(np.diff(averaged(planes[start : start + number + 1]), axis=0)).mean(axis=(1, 2))
        for start in range(0, len(planes) - 1, number)
    ]
    return float(np.concatenate(steps).mean())
