"""Colours of all that is drawn, near Okabe and Ito's set, which colour-blind readers tell apart.

Both contour colours also stand out from the orange of a fundus photograph, in hue and lightness.
"""

import numpy as np

Colour = tuple[int, int, int]

DISC: Colour = (86, 200, 255)  # sky blue, lightened for dark photographs
CUP: Colour = (250, 235, 60)  # yellow
TRUTH: Colour = (255, 255, 255)
FRAME: Colour = (255, 255, 255)

PAPER: Colour = (22, 24, 28)  # behind the tiles
TEXT: Colour = (236, 238, 240)
FAINT: Colour = (160, 165, 172)
WARNING: Colour = (255, 170, 70)  # amber

# Region outlines in drawing order, and fills of the classes background, rim, cup.
OUTLINES = {"disc": DISC, "cup": CUP}
CLASS_FILLS = np.array([(38, 42, 50), DISC, CUP], np.uint8)
IGNORED = (110, 70, 70)

# Evidence for and against glaucoma, apart in hue also for colour-blind readers.
FOR: Colour = (255, 72, 40)
AGAINST: Colour = (40, 130, 255)
MOST_OPAQUE = 0.85  # of the strongest evidence over an image

# Lines and bars of plots, in order.
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")


def heat(values: np.ndarray) -> np.ndarray:
    """(...) floats in 0..1 -> (..., 3) uint8, black over purple to pale yellow (magma)."""
    import matplotlib

    return matplotlib.colormaps["magma"](np.clip(values, 0.0, 1.0), bytes=True)[..., :3]


def blend_evidence(grey: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A grey image under a signed map: red where it speaks for glaucoma, blue where against.

    Args:
      grey: (...) uint8.
      values: (...) float in -1..1; the further from 0, the less of the image is seen.

    Returns:
      (..., 3) uint8.
    """
    values = np.clip(values, -1.0, 1.0)[..., None]
    colour = np.where(values > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    # A little brightness of the image stays in the colour, so that its layers are seen through it.
    base = grey[..., None].astype(np.float32)
    tinted = colour * (0.55 + 0.45 * base / 255.0)
    opacity = MOST_OPAQUE * np.abs(values)
    return np.rint(base + opacity * (tinted - base)).astype(np.uint8)


def evidence_layer(values: np.ndarray) -> np.ndarray:
    """A signed map to lie over a grey image: as `blend_evidence`, the image below left out.

    Args:
      values: (...) float in -1..1.

    Returns:
      (..., 4) uint8 red, green, blue and opacity.
    """
    values = np.clip(values, -1.0, 1.0)[..., None]
    colour = np.where(values > 0, np.array(FOR), np.array(AGAINST))
    opacity = np.rint(255 * MOST_OPAQUE * np.abs(values))
    return np.concatenate([colour, opacity], axis=-1).astype(np.uint8)


def class_colours(probabilities: np.ndarray) -> np.ndarray:
    """(..., 3) class probabilities -> (..., 3) uint8: the fills of the classes, mixed."""
    mixed = probabilities.astype(np.float32) @ CLASS_FILLS.astype(np.float32)
    return np.rint(mixed).astype(np.uint8)


def id_colours(ids: np.ndarray) -> np.ndarray:
    """(...) class ids, 255 = ignore -> (..., 3) uint8: the fills of the classes."""
    table = np.full((256, 3), IGNORED, np.uint8)
    table[: len(CLASS_FILLS)] = CLASS_FILLS
    return table[ids]
