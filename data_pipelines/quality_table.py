"""What is said of photographs that are spoiled step by step: the table of docs/quality.md.

    python -m data_pipelines.quality_table data/phantom/fundus/*.jpg
    python -m data_pipelines.quality_table eye.jpg
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from data_pipelines import images, quality

Spoiled = Callable[[np.ndarray], np.ndarray]


def darkened(factor: float) -> Spoiled:
    return lambda image: (image * factor).astype(np.uint8)


def blurred(part: float) -> Spoiled:
    """By a Gaussian whose sigma is a part of the longer side."""

    def spoil(image: np.ndarray) -> np.ndarray:
        sigma = part * max(image.shape[:2])
        return ndimage.gaussian_filter(image.astype(np.float32), (sigma, sigma, 0)).astype(np.uint8)

    return spoil


def noisy(deviation: float) -> Spoiled:
    """By normal noise of so many grey levels, the same for every photograph."""

    def spoil(image: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, deviation, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)

    return spoil


STEPS: dict[str, Spoiled] = {
    "as it is": lambda image: image,
    **{f"brightness x {factor:g}": darkened(factor) for factor in (0.5, 0.2, 0.1, 0.05)},
    **{f"blur {part:g} of the side": blurred(part) for part in (0.002, 0.004, 0.008, 0.016, 0.03)},
    **{f"noise of {level} grey levels": noisy(level) for level in (10, 20, 40, 80)},
    "grey": lambda image: np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2),
    "red and blue exchanged": lambda image: image[..., ::-1],
}


def rows(photographs: Sequence[np.ndarray]) -> list[tuple[str, str, str]]:
    """(step, sharpness, what is said of how many) of each of STEPS."""
    found = []
    for step, spoil in STEPS.items():
        spoiled = [spoil(photograph) for photograph in photographs]
        sharp = [s for image in spoiled if (s := quality.sharpness(image)) is not None]
        said = Counter(
            re.sub(r" \(.*", "", text)
            for image in spoiled
            for text in quality.photograph_faults(image) or quality.photograph_doubts(image)
        )
        texts = [f"{text}: {count}/{len(spoiled)}" for text, count in said.most_common()]
        span = f"{np.median(sharp):.2f} ({min(sharp):.2f} to {max(sharp):.2f})" if sharp else "-"
        found.append((step, span, "; ".join(texts) or "nothing"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data_pipelines.quality_table", description=__doc__.splitlines()[0]
    )
    parser.add_argument("photographs", nargs="+")
    photographs = [images.read_fundus(path) for path in parser.parse_args().photographs]
    print("| spoiled by | sharpness: median (least to most) | said |\n|---|---|---|")
    for row in rows(photographs):
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
