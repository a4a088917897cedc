"""The sampler at work: the noisy state and the mask predicted from it, step by step."""

import numpy as np

from imo_jax.labels import CLASS_NAMES, CUP, RIM
from imo_jax.visualisation import colours, tiles


def denoising_strip(
    photograph: np.ndarray,
    x_t: np.ndarray,
    probabilities: np.ndarray,
    *,
    times: np.ndarray,
    log_snr: np.ndarray,
    class_embeddings: np.ndarray,
    title: str,
    mask: np.ndarray | None = None,
    tile: int = 200,
) -> np.ndarray:
    """One column a step; rows: x_t, what x_t alone says of the class, the x0 predicted from it.

    The second row shows how much the state carries: it is Bayes' rule on eq. 4 with equal priors,
    p(class | x_t) ~ exp(-|x_t - alpha e_class|^2 / (2 sigma^2)). Where it is an even mixture of
    the colours, the prediction below it comes from the photograph alone.

    Args:
      photograph: (H, W, 3) uint8.
      x_t: (steps, h, w, C) float, the state that each step starts from.
      probabilities: (steps, h, w, 3), class probabilities that it predicts.
      times: (steps,) in 0..1, 1 = noise.
      log_snr: (steps,), log of alpha^2 / sigma^2 of each state.
      class_embeddings: (3, C), x0 of background, rim and cup.
      title: one line.
      mask: (H', W') true ids, 255 = ignore, or None.
      tile: side of a tile in pixels.

    Returns:
      (height, width, 3) uint8.
    """
    last = probabilities[-1].argmax(axis=-1)
    seen = last if mask is None else mask
    box = tiles.square_around((seen == RIM) | (seen == CUP))
    first = [
        tiles.cut(photograph, box, (tile, tile)),
        _blank(tile) if mask is None else _id_tile(mask, box, tile),
        _id_tile(last, box, tile),
    ]
    axis = class_embeddings[CUP] - class_embeddings[0]
    axis = axis / max(np.linalg.norm(axis), 1e-12)
    rows = [[image] for image in first]
    for state, predicted, level in zip(x_t, probabilities, log_snr, strict=True):
        rows[0].append(_grey_tile(state @ axis, box, tile))
        rows[1].append(_class_tile(read_classes(state, level, class_embeddings), box, tile))
        rows[2].append(_class_tile(predicted, box, tile))
    return tiles.sheet(
        rows,
        title=title,
        captions=["photograph, truth, result", *(f"t = {t:.2f}" for t in times)],
        row_names=["x_t", "read from x_t", "predicted x0"],
        legend=[
            (name, tuple(int(v) for v in fill))
            for name, fill in zip(CLASS_NAMES, colours.CLASS_FILLS, strict=True)
        ],
    )


def read_classes(state: np.ndarray, log_snr: float, class_embeddings: np.ndarray) -> np.ndarray:
    """p(class | x_t) of each pixel by itself, with equal priors: (h, w, C) -> (h, w, classes).

    Args:
      state: (h, w, C) x_t = alpha x0 + sigma eps, eps unit normal.
      log_snr: log(alpha^2 / sigma^2), with alpha^2 + sigma^2 = 1.
      class_embeddings: (classes, C).
    """
    variance = 1.0 / (1.0 + np.exp(log_snr))
    means = np.sqrt(1.0 - variance) * class_embeddings
    # -|x - m|^2 / 2 sigma^2 without |x|^2, which is the same for every class
    # (h, w, C) @ (C, classes) -> (h, w, classes)
    evidence = (state @ means.T - 0.5 * np.square(means).sum(axis=-1)) / variance
    evidence = np.exp(evidence - evidence.max(axis=-1, keepdims=True))
    return evidence / evidence.sum(axis=-1, keepdims=True)


def _blank(size: int) -> np.ndarray:
    return np.full((size, size, 3), colours.PAPER, np.uint8)


def _id_tile(ids: np.ndarray, box: tiles.Box, size: int) -> np.ndarray:
    ids, box = tiles.narrow(ids, box)
    return tiles.cut(colours.id_colours(ids), box, (size, size))


def _class_tile(probabilities: np.ndarray, box: tiles.Box, size: int) -> np.ndarray:
    return tiles.cut(colours.class_colours(probabilities), box, (size, size))


def _grey_tile(values: np.ndarray, box: tiles.Box, size: int) -> np.ndarray:
    """Values from -2.5 to 2.5 of their standard deviations about their mean, dark to light."""
    spread = max(float(values.std()), 1e-12)
    grey = np.clip((values - values.mean()) / spread / 5.0 + 0.5, 0.0, 1.0)
    grey = np.rint(255 * grey).astype(np.uint8)[..., None].repeat(3, axis=-1)
    return tiles.cut(grey, box, (size, size))
