"""Cards of a gallery of OCT volumes: from above and as B-scans, each with its activation map."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from imo_jax import visual_field
from imo_jax.cam import en_face
from imo_jax.labels import SCREENING_NAMES
from imo_jax.metrics.screening import VolumeRecord
from imo_jax.metrics.screening_summary import THRESHOLD
from imo_jax.predictor.volume_result import Evidence
from imo_jax.report.cards import jpeg, png
from imo_jax.visualisation import colours
from imo_jax.visualisation.cam_panels import evidence_limit, seen_from_above
from imo_jax.visualisation.tiles import WHOLE, cut

PICTURE, QUALITY = 160, 70  # side in pixels of a card's pictures, and of their JPEG
MAP = 64  # longest side of an activation map; coarser ones are kept as they are
SCANS = 5  # B-scans of a card: the clearest, and others evenly spaced
ABOVE = "from above, a row a B-scan"

ORDERS = {
    "class_error": "error of the class",
    **{f"{index}_error": f"error of the {index.upper()}" for index in visual_field.INDICES},
    "glaucoma": "probability of glaucoma",
}
GROUPS = {
    **{f"class{k}": f"{name} (true class)" for k, name in enumerate(SCREENING_NAMES)},
    "wrong": "wrong class",
}
LAYERS = {"evidence": "evidence (red: for glaucoma, blue: against)"}

Limits = tuple[float, float]  # evidence of the full colour: from above, and on B-scans


def common_limits(cams: Sequence[np.ndarray]) -> Limits:
    """One scale of colours for the maps of many volumes, so that they can be compared.

    Args:
      cams: (m, h, w) of each volume.
    """
    return evidence_limit([en_face(cam) for cam in cams]), evidence_limit(cams)


def volume_card(record: VolumeRecord, evidence: Evidence, limits: Limits) -> dict[str, Any]:
    """The card of one volume.

    Args:
      record: of the volume.
      evidence: what was seen of it.
      limits: of the colours, from `common_limits`.

    Returns:
      Ready for JSON: `id`, `says` and `lines` for people, `photo` (JPEG in base64) and `evidence`
      (PNG to lie over it), `steps` (B-scans, and at last the card's own pictures) for the
      slider called `slide`, `order` (numbers to sort by), `groups` (to filter by).
    """
    of_above, of_scans = limits
    card: dict[str, Any] = {
        "id": record.id,
        "photo": _grey(seen_from_above(evidence.images)),
        "evidence": _map(en_face(evidence.cams), of_above),
        "lines": lines_of(record),
        "order": order_of(record),
        "groups": groups_of(record),
        "slide": "View",
    }
    shown = [_scan_step(evidence, i, of_scans) for i in shown_scans(evidence)]
    card["steps"] = [*shown, {"name": ABOVE}]
    card["says"] = f"{record.id}: " + "; ".join(line["text"] for line in card["lines"])
    return card


def shown_scans(evidence: Evidence) -> list[int]:
    """Positions of B-scans: the one with the strongest evidence, and others evenly spaced."""
    number = len(evidence.images)
    spaced = np.linspace(0, number - 1, SCANS + 1).round().astype(int)[1:-1]
    return sorted({int(i) for i in spaced} | {_image_of(evidence, evidence.clearest)})


def _image_of(evidence: Evidence, place: int) -> int:
    """The image in the middle of what map `place` shows: a network for volumes has fewer maps."""
    return int((place + 0.5) * len(evidence.images) / len(evidence.cams))


def _scan_step(evidence: Evidence, i: int, limit: float) -> dict[str, Any]:
    name = f"B-scan {i + 1} of {len(evidence.images)}"
    if evidence.probabilities is not None:
        name += f", probability {evidence.probabilities[i]:.2f}"
    cam = evidence.cams[i * len(evidence.cams) // len(evidence.images)]
    return {"name": name, "photo": _grey(evidence.images[i]), "evidence": _map(cam, limit)}


def _grey(image: np.ndarray) -> str:
    return jpeg(cut(image, WHOLE, (PICTURE, PICTURE)), QUALITY)


def _map(cam: np.ndarray, limit: float) -> str:
    size = min(cam.shape[1], MAP), min(cam.shape[0], MAP)
    values = cut(cam.astype(np.float32), WHOLE, size)
    return png(colours.evidence_layer(values / limit))


def lines_of(record: VolumeRecord) -> list[dict[str, Any]]:
    """What stands below a picture: class and visual field; `wrong` where the class is."""
    text = f"probability of glaucoma {record.probability:.2f}"
    if record.glaucoma is not None:
        text += f", true class {SCREENING_NAMES[record.glaucoma]}"
    lines: list[dict[str, Any]] = [{"text": text, "wrong": _is_wrong(record)}]
    for j, index in enumerate(visual_field.INDICES):
        measured, unit = record.vf_measured[j], visual_field.UNITS[index]
        said = [] if record.vf_predicted is None else [f"{record.vf_predicted[j]:.1f} {unit}"]
        said += [f"measured {measured:.1f} {unit}"] if np.isfinite(measured) else []
        if said:
            lines.append({"text": f"{index.upper()}: {', '.join(said)}"})
    return lines


def order_of(record: VolumeRecord) -> dict[str, float]:
    """Numbers of a volume to sort by, the greatest first; one that is not known is left out."""
    found = {"glaucoma": record.probability}
    if record.glaucoma is not None:
        found["class_error"] = abs(record.probability - record.glaucoma)
    if record.vf_predicted is not None:
        errors = np.abs(record.vf_predicted - record.vf_measured)
        found |= {f"{index}_error": float(e) for index, e in zip(visual_field.INDICES, errors)}
    return {name: round(value, 5) for name, value in found.items() if math.isfinite(value)}


def groups_of(record: VolumeRecord) -> list[str]:
    """What a card can be filtered by: its true class, and whether the predicted one is wrong."""
    groups = [] if record.glaucoma is None else [f"class{record.glaucoma}"]
    return [*groups, "wrong"] if _is_wrong(record) else groups


def _is_wrong(record: VolumeRecord) -> bool:
    called = int(record.probability >= THRESHOLD)
    return record.glaucoma is not None and called != record.glaucoma
