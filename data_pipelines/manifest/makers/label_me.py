"""Outlines in LabelMe's JSON: `shapes`, each with a `label` and `points` (x, y)."""

from __future__ import annotations

import json
from pathlib import Path

from data_pipelines.bad_file import BadFile
from data_pipelines.manifest.makers.regions import Polygon


def read_polygons(path: Path) -> dict[str, list[Polygon]]:
    """Label, in lower case -> its polygons. Raises BadFile."""
    found: dict[str, list[Polygon]] = {}
    try:
        for shape in json.loads(path.read_text("utf-8-sig"))["shapes"]:
            points = tuple((float(x), float(y)) for x, y in shape["points"])
            found.setdefault(str(shape["label"]).strip().lower(), []).append(Polygon(path, points))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadFile(path, f"is no LabelMe file with shapes ({type(error).__name__})") from None
    return found
