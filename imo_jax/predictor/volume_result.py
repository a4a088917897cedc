"""What a screening network says of one OCT volume, and the files that hold it."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from imo_jax import cam, visual_field
from imo_jax.atomic_files import png_of, write_json, write_picture
from imo_jax.visualisation.cam_panels import ScanRow, scan_panel, volume_panel
from imo_jax.visualisation.tiles import with_notes

SCANS_SHOWN = 3  # of a predicted volume, evenly spaced


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a network saw of one volume, and where it saw it.

    Attributes:
      images: (n, H, W) uint8, B-scans, or the slices of a cube.
      cams: (m, h, w) float32 activation maps, of these B-scans or of the slices of the last map:
        signed, in units of the logit, positive where they speak for glaucoma.
      probabilities: (n,) of glaucoma of each B-scan; None of a network that sees volumes whole.
    """

    images: np.ndarray
    cams: np.ndarray
    probabilities: np.ndarray | None

    @property
    def clearest(self) -> int:
        """The B-scan with the strongest evidence, for or against."""
        return int(np.abs(self.cams.mean(axis=(1, 2))).argmax())


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class VolumeResult:
    """What is said of one OCT volume.

    Attributes:
      id: of the volume.
      probability: of glaucoma, mean over the B-scans.
      visual_field: "vfi" (percent), "md" and "psd" (dB) -> value, mean over the B-scans; None of a
        network that does not regress them.
      num_scans: B-scans that were looked at; 1 of a network that sees volumes whole.
      evidence: what was seen, and where.
      warnings: doubts about the input, in words; () = none.
      threshold: probability from which validation said glaucoma, chosen by F1; None = not known.
    """

    id: str
    probability: float
    visual_field: dict[str, float] | None
    num_scans: int
    evidence: Evidence
    warnings: tuple[str, ...]
    threshold: float | None

    @property
    def glaucoma(self) -> bool:
        """Whether the probability is at least one half."""
        return self.probability >= 0.5

    @property
    def activation_map(self) -> np.ndarray:
        """(m, width) float32: the evidence as seen from above, a row a B-scan; see `cam.en_face`."""
        return np.asarray(cam.en_face(self.evidence.cams))

    def overlay(self) -> np.ndarray:
        """(height, width, 3) uint8: the volume from above, and the evidence upon it."""
        panel = volume_panel(self.evidence.images, self.evidence.cams, title=self._title())
        return with_notes(panel, self.warnings)

    def scan_overlays(self) -> np.ndarray | None:
        """(height, width, 3) uint8: some B-scans with their evidence.

        None of a network that sees volumes whole.
        """
        evidence = self.evidence
        if evidence.probabilities is None:
            return None
        number = len(evidence.images)
        chosen = np.unique(np.linspace(0, number - 1, SCANS_SHOWN + 2).round().astype(int)[1:-1])
        row = ScanRow(
            "B-scans",
            evidence.images[chosen],
            evidence.cams[chosen],
            evidence.probabilities[chosen],
        )
        return with_notes(scan_panel([row], title=self._title()), self.warnings)

    def _title(self) -> str:
        return f"{self.id}: probability of glaucoma {self.probability:.2f}"

    def to_json(self) -> dict[str, Any]:
        """What `<id>.json` holds."""
        result: dict[str, Any] = {
            "id": self.id,
            "warnings": list(self.warnings),
            "glaucoma_probability": self.probability,
            "glaucoma": self.glaucoma,
            "b_scans": self.num_scans,
        }
        if self.threshold is not None:
            result |= {
                "threshold_of_validation": self.threshold,
                "glaucoma_at_that_threshold": self.probability >= self.threshold,
            }
        if self.visual_field is not None:
            result["visual_field"] = {
                name: {"value": round(value, 3), "unit": visual_field.UNITS[name]}
                for name, value in self.visual_field.items()
            }
        return result

    def save(self, folder: str | pathlib.Path) -> dict[str, Any]:
        """Writes `<id>_en_face.png`, of 2-D networks `<id>_cam.png`, and `<id>.json` last.

        Args:
          folder: made where it is absent.

        Returns:
          What the JSON holds.
        """
        folder = pathlib.Path(folder)
        write_picture(folder / f"{self.id}_en_face.png", self.overlay())
        if (scans := self.scan_overlays()) is not None:
            write_picture(folder / f"{self.id}_cam.png", scans)
        result = self.to_json()
        write_json(folder / f"{self.id}.json", result)
        return result

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows of it: the picture."""
        return png_of(self.overlay())

    def __str__(self) -> str:
        """One line, as a person would say it."""
        parts = [f"probability of glaucoma {self.probability:.2f}"]
        for name, value in (self.visual_field or {}).items():
            parts.append(f"{name.upper()} {value:.1f} {visual_field.UNITS[name]}")
        line = f"{self.id}: {', '.join(parts)} ({self.num_scans} B-scans)"
        return f"{line}, doubtful: {'; '.join(self.warnings)}" if self.warnings else line
