"""The short program that is handed out with an exported run: from an eye's files to what is said."""

import pathlib
from typing import Any

import jinja2

from imo_jax.export.parts import Part
from imo_jax.export.source import standalone
from imo_jax.predictor import EyePredictor, VolumePredictor, preparation

TEMPLATES = pathlib.Path(__file__).parent / "templates"
PREPARATION_TITLE = (
    "What makes a network's inputs of an eye's files, and a mask of its outputs.\n\n"
    "The source of imo_jax (Apache 2.0) that the network was trained with; needs numpy, Pillow and "
    "scipy.\n"
)


def example_of(predictor: EyePredictor | VolumePredictor, parts: list[Part], format: str) -> str:
    """The source of `example.py`.

    Args:
      predictor: that is exported.
      parts: its functions.
      format: a name of `bundle.FORMATS`.
    """
    kind = "volume" if isinstance(predictor, VolumePredictor) else "eye"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    functions = sorted(f.__name__ for f in prepared_by(predictor))
    settings = volume_settings(predictor) if kind == "volume" else eye_settings(predictor)
    return environment.get_template(f"{kind}.py.jinja").render(
        format=format, functions=functions, parts={part.name: part for part in parts}, **settings
    )


def eye_settings(predictor: EyePredictor) -> dict[str, Any]:
    """What the template of eyes says of a network."""
    settings, locator = predictor.settings, predictor.locator
    return {
        "size": settings.image_size,
        "crop": settings.crop_to_field,
        "oct": settings.oct_shape,
        "grades": settings.grade_names,
        "locator": None if locator is None else locator.predictor.settings,
        "diameters": None if locator is None else locator.diameters,
        "turned": settings.left_as_right,
        "locator_turned": locator is not None and locator.predictor.settings.left_as_right,
    }


def volume_settings(predictor: VolumePredictor) -> dict[str, Any]:
    """What the template of volumes says of a network."""
    settings = predictor.settings
    return {
        "input": settings.model.input,
        "grid": settings.grid,
        "stride": settings.scan_stride,
        "mirrored": settings.right_as_left,
        "regresses": settings.model.regresses,
    }


def prepared_by(predictor: EyePredictor | VolumePredictor) -> tuple:
    """The functions of the project that prepare a predictor's eyes."""
    if isinstance(predictor, VolumePredictor):
        scans = predictor.settings.model.input == "scan"
        return preparation.SCANS if scans else preparation.CUBE
    functions = preparation.PHOTOGRAPH
    if predictor.locator is not None:
        functions += preparation.SQUARE
    if predictor.settings.oct_shape is not None:
        functions += preparation.VOLUME
    if predictor.settings.model.segment:
        functions += preparation.TO_MASK
    return functions


def preparation_source(predictor: EyePredictor | VolumePredictor) -> str:
    """The source of `preparation.py`, which the example imports."""
    return standalone(prepared_by(predictor), PREPARATION_TITLE)
