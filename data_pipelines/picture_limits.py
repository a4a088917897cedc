"""How large a picture may claim to be, judged from its header before a pixel is decoded."""

from __future__ import annotations

import os

from data_pipelines.bad_file import BadFile

# Fundus cameras stop near 50 megapixels. The limit is below Pillow's own, so that
# this message is seen and not Pillow's warning.
MAX_PIXELS = 80_000_000
MAX_SIDE = 20_000


def check_size(width: int, height: int, path: os.PathLike | str) -> None:
    """Raises BadFile for a picture of more than MAX_PIXELS or MAX_SIDE."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise BadFile(
            path,
            f"has an absurd size, {width} x {height} pixels "
            f"(limit: {MAX_PIXELS} pixels, {MAX_SIDE} a side); shrink it",
        )
