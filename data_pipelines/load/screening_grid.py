"""What a screening run keeps of OCT volumes: single B-scans, whole cubes, or both."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines import volumes
from data_pipelines.volume_form import AS_STORED, VolumeForm

# Volumes are read in several threads, and Pillow's registering of file formats on first use takes
# no lock.
Image.init()

# The B-scans next to one where max_scans leaves out some: those next to it in the volume, or those
# that are next to it among the ones kept (as runs of version 0.1 were trained).
NEIGHBOURS = ("volume", "kept")

# What makes each part, for messages.
SETTINGS = {"scan": "scan_size", "cube": "cube_shape"}


@dataclasses.dataclass(frozen=True)
class Part:
    """One kind of images made of a volume.

    Attributes:
      name: "scan" or "cube".
      shape: of one image.
      make: (slices, depth, width) -> uint8 (images, *shape): all images of a volume, in order.
      centres: slices of a volume -> positions, among its images, of those that are looked at; the
        others are only seen beside them.
    """

    name: str
    shape: tuple[int, ...]
    make: Callable[[np.ndarray], np.ndarray]
    centres: Callable[[int], list[int]]

    def read(self, path: Path, form: VolumeForm = AS_STORED) -> tuple[np.ndarray, int]:
        """uint8 (images, *shape) of a volume's file, and its number of slices.

        Arguments and errors as volumes.read_volume.
        """
        volume = volumes.read_volume(path, form)
        return self.make(volume), len(volume)


@dataclasses.dataclass(frozen=True)
class ScreeningGrid:
    """The sizes that all volumes of a run are brought to.

    Attributes:
      scan_size: side of the square B-scans in pixels; None for a run without them. Depth and width
        are resized each by itself; all B-scans are kept, so that their number varies.
      cube_shape: (slices, depth, width) of the cubes, or None for a run without them.
      max_scans: at most so many B-scans of a volume are looked at, evenly spaced; the two next to
        each are kept beside it. None: all.
      scan_neighbours: a name of NEIGHBOURS.
    """

    scan_size: int | None
    cube_shape: tuple[int, int, int] | None = None
    max_scans: int | None = None
    scan_neighbours: str = "volume"

    def __post_init__(self) -> None:
        if self.scan_size is None and self.cube_shape is None:
            raise ValueError("neither scan_size nor cube_shape is given: nothing would be read")
        if self.scan_neighbours not in NEIGHBOURS:
            raise ValueError(f"scan_neighbours={self.scan_neighbours!r} is none of {NEIGHBOURS}")
        if self.cube_shape is not None and len(self.cube_shape) != 3:
            raise ValueError(f"cube_shape={self.cube_shape} is not (slices, depth, width)")
        for name in ("scan_size", "max_scans"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if min(self.cube_shape or (1,)) < 1:
            raise ValueError(f"cube_shape={self.cube_shape} must be positive")
        if self.max_scans is not None and self.scan_size is None:
            raise ValueError("max_scans does nothing without scan_size: cubes use all slices")

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is kept of every volume."""
        parts = []
        if self.scan_size is not None:
            side, limit = self.scan_size, self.max_scans
            near = self.scan_neighbours == "volume"
            parts.append(
                Part(
                    "scan",
                    (side, side),
                    lambda volume: volumes.to_scans(volume, side, side, limit, near),
                    functools.partial(_centres, max_scans=limit, neighbours=near),
                )
            )
        if self.cube_shape is not None:
            shape = tuple(self.cube_shape)
            parts.append(
                Part(
                    "cube",
                    shape,
                    lambda volume: volumes.to_cube(volume, *shape)[None],
                    lambda slices: [0],
                )
            )
        return tuple(parts)


def _centres(slices: int, max_scans: int | None, neighbours: bool) -> list[int]:
    """Positions of the centres among the B-scans that are kept."""
    kept = volumes.kept_scans(slices, max_scans, neighbours)
    return [kept.index(number) for number in volumes.centre_scans(slices, max_scans)]
