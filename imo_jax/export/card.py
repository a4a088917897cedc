"""The card of an exported run: what goes into each function, what comes out, and what lies between."""

import dataclasses
import hashlib
from typing import Any

import jax

import imo_jax
from imo_jax import visual_field
from imo_jax.export.parts import LOCATOR, NETWORK, Part, Shapes
from imo_jax.labels import CLASS_NAMES
from imo_jax.models.registry import diffuses, kind_of
from imo_jax.predictor import EyePredictor, VolumePredictor
from imo_jax.predictor.answers import NOISE_SEED

WARNING = (
    "Research software, not a medical device: nothing it says of a person's eye may be used to treat "
    "that person."
)
MEANING = {
    "fundus": "the square of the photograph that is seen, RGB, 0..255",
    "oct": "the OCT volume, (depth, width, slices), grey values 0..255; anything where has_oct is "
    "false",
    "has_oct": "whether the eye has an OCT volume",
    "scan": "a B-scan, depth x width, between the one before it (first channel) and the one after it "
    "(last channel), 0..255",
    "cube": "the OCT volume, (slices, depth, width), 0..255",
    "grade_probabilities": "of the grades, in the order given below",
    "probabilities": f"of {', '.join(CLASS_NAMES)} at each pixel of the square, mean over samples; "
    "disc = rim + cup",
    "entropy": "of these probabilities, in nats: how uncertain each pixel is",
    "probability": "of glaucoma; of a volume: the mean over its B-scans",
    "vf": "visual field, "
    + ", ".join(f"{name.upper()} in {visual_field.UNITS[name]}" for name in visual_field.INDICES)
    + "; of a volume: the mean over its B-scans",
    "cam": "class activation map, in units of the logit, positive where it speaks for glaucoma",
}


def card_of(
    predictor: EyePredictor | VolumePredictor,
    parts: list[Part],
    files: dict[str, bytes],
    differences: dict[str, dict[str, float]],
    of_format: dict[str, Any],
) -> dict[str, Any]:
    """What `card.json` holds.

    Args:
      predictor: that is exported.
      parts: its functions, in the order in which they are called.
      files: name of a part's file -> its content, in the same order.
      differences: name of a part -> output -> largest difference from the original.
      of_format: what the format has to say of itself.
    """
    functions = [
        _function(part, name, content, differences[part.name])
        for part, (name, content) in zip(parts, files.items(), strict=True)
    ]
    of_kind = _volume_facts if isinstance(predictor, VolumePredictor) else _eye_facts
    return {
        "title": f"{kind_of(predictor.settings.model).title(predictor.settings.model)}, "
        f"{predictor.title}",
        "warning": WARNING,
        "made_by": f"imo_jax {imo_jax.__version__}, jax {jax.__version__}",
        "format": of_format,
        "functions": functions,
        **of_kind(predictor),
    }


def _function(
    part: Part, file: str, content: bytes, difference: dict[str, float]
) -> dict[str, Any]:
    return {
        "name": part.name,
        "file": file,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "inputs": _arrays(part.inputs),
        "outputs": _arrays(part.outputs),
        "largest_difference_from_the_original": difference,
    }


def _arrays(shapes: Shapes) -> dict[str, dict[str, Any]]:
    return {
        name: {"shape": ["batch", *x.shape], "dtype": x.dtype.name, "is": MEANING[name]}
        for name, x in shapes.items()
    }


def _eye_facts(predictor: EyePredictor) -> dict[str, Any]:
    settings = predictor.settings
    calibration, calibrated_on = predictor.calibration_of(settings.mirror)
    facts: dict[str, Any] = {"preparation": _of_photographs(predictor)}
    if diffuses(settings.model):
        facts["noise"] = (
            f"x_T of the {settings.samples} samples is always that of seed {NOISE_SEED}, the same for "
            "every eye and batch: the functions are deterministic and give what the predictor gives"
        )
    if settings.mirror:
        facts["mirror"] = "the network is asked for the mirrored eye, too; what is given is the mean"
    if settings.model.grade:
        facts["grades"] = list(settings.grade_names)
        facts["temperature"] = None if calibration is None else calibration.temperature
    if settings.model.segment:
        facts["classes"] = list(CLASS_NAMES)
    facts["calibration"] = None if calibration is None else dataclasses.asdict(calibration)
    facts["calibrated_on"] = calibrated_on
    return facts


def _of_photographs(predictor: EyePredictor) -> list[str]:
    """The way from files to inputs, and from outputs to a mask, in steps."""
    settings, locator = predictor.settings, predictor.locator
    size = settings.image_size
    steps = ["Turn the photograph upright as its EXIF says; 8-bit RGB."]
    if locator is not None:
        seen = locator.predictor.settings
        steps.append(
            f"{_whole(seen.image_size, seen.crop_to_field)} That is what `{LOCATOR}` sees. In its "
            "`probabilities` `find_disc` finds the disc: the largest region, connected by edges, "
            "where rim + cup > 0.5, if its size, form and mean probability are credible."
        )
        steps.append(
            f"Cut a square of {locator.diameters:g} disc diameters around the disc (black outside "
            f"the photograph), resized to {size} x {size} pixels in the same way: what `network` "
            "sees. Without a credible disc it sees the whole photograph, brought to its size "
            "likewise."
        )
    else:
        steps.append(f"{_whole(size, settings.crop_to_field)} That is `fundus`.")
    if settings.oct_shape is not None:
        depth, width, slices = settings.oct_shape
        steps.append(
            f"Bring an OCT volume (B-scans, depth, width) to {slices} slices of {depth} x {width}: "
            "`to_grid`, each B-scan by Pillow's BILINEAR, neighbouring slices averaged. Without one: "
            "zeros, and `has_oct` false."
        )
    seers = [f"`{NETWORK}`"] * settings.left_as_right
    if locator is not None and locator.predictor.settings.left_as_right:
        seers.insert(0, f"`{LOCATOR}`")
    if seers:
        steps.append(
            f"Mirror the inputs of {' and '.join(seers)} along their width where the eye is a left one "
            "(OS), and mirror back the maps that come out: right eyes alone are known there."
        )
    if settings.model.segment:
        steps.append(
            "`unframe_probabilities` brings the probabilities back to the photograph's pixels "
            "(bilinear, background outside the square); the mask is the most probable class of each."
        )
    return steps


def _whole(size: int, crop_to_field: bool) -> str:
    field = "that bounds the field of view" if crop_to_field else "that holds the whole photograph"
    return (
        f"Cut the square {field} (`find_frame`), resized to {size} x {size} pixels by Pillow's "
        "BILINEAR, which averages where it shrinks (`frame_image`)."
    )


def _volume_facts(predictor: VolumePredictor) -> dict[str, Any]:
    settings, grid = predictor.settings, predictor.settings.grid
    if settings.model.input == "scan":
        side = grid.scan_size
        which = "all B-scans" if grid.max_scans is None else f"at most {grid.max_scans} B-scans"
        steps = [
            f"Of a volume (B-scans, depth, width), 8-bit grey values, take {which}, evenly spaced, "
            f"each resized to {side} x {side} by Pillow's BILINEAR (`to_scans`), and each between "
            "its two neighbours as the three channels of an image."
        ]
    else:
        shape = " x ".join(map(str, grid.cube_shape))
        steps = [f"Bring the volume to {shape} (slices, depth, width), 8-bit (`to_cube`)."]
    if settings.right_as_left:
        steps.append("Mirror right eyes (OD) along the width: the network knows left ones alone.")
    return {
        "preparation": steps,
        "scan_stride": settings.scan_stride,
        "threshold_of_validation": predictor.threshold,
    }


def in_words(card: dict[str, Any]) -> str:
    """`card.md`: a card for people."""
    lines = [f"# {card['title']}", "", f"**{card['warning']}**", ""]
    lines += [f"Made by {card['made_by']}. {card['format']['about']}", ""]
    for function in card["functions"]:
        lines += [f"## `{function['name']}`: {function['file']}", ""]
        lines += [f"{function['bytes']:,} bytes, SHA-256 `{function['sha256']}`.", ""]
        lines += ["| | name | shape | dtype | what it is |", "|---|---|---|---|---|"]
        for way in ("inputs", "outputs"):
            for name, x in function[way].items():
                shape = f"({', '.join(map(str, x['shape']))}{',' * (len(x['shape']) == 1)})"
                lines.append(f"| {way[:-1]} | `{name}` | {shape} | {x['dtype']} | {x['is']} |")
        differences = function["largest_difference_from_the_original"].items()
        found = ", ".join(f"{name} {value:.1e}" for name, value in differences)
        lines += ["", f"Largest difference from the original on made-up inputs: {found}.", ""]
    lines += ["## From files to inputs and back", ""]
    lines += [f"{n}. {step}" for n, step in enumerate(card["preparation"], 1)]
    lines += ["", "`example.py` does this with `preparation.py`, the project's own source.", ""]
    facts = {k: v for k, v in card.items() if k not in _TOLD}
    lines += ["## Facts", ""] + [f"- {name.replace('_', ' ')}: {value}" for name, value in facts.items()]
    return "\n".join(lines) + "\n"


_TOLD = ("title", "warning", "made_by", "format", "functions", "preparation")
