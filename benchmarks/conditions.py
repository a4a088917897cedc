"""How a run segments the same eyes under other conditions: darker, blurred, mirrored, cropped, of a wider field.

    python -m benchmarks.conditions --run=runs/photographs --manifest=MANIFEST --out=runs/conditions.csv

The test eyes of a manifest, their photographs changed one way at a time and their masks with them; the run predicts each
as it would a file; scores as of evaluations, with 95 % intervals by patient. Mirroring, darkness and a coarse JPEG are
what photographs come with; the crops and the wider field place the disc where a training set may never have had it.
"""

import argparse
import io
import pathlib
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

import imo_jax
from benchmarks.labelled_eyes import LabelledEyes, read_labelled_eyes
from imo_jax.labels import IGNORE
from imo_jax.metrics.imo_eye import EyeRecord, score_eye
from imo_jax.metrics.imo_summary import imo_summary
from imo_jax.predictor.eyes import EyePredictor
from imo_jax.report.seed_means import cell, markdown

Eye = tuple[np.ndarray, np.ndarray]  # photograph (H, W, 3) and mask (H, W), uint8
SCORES = {"disc_dice": "disc Dice", "cup_dice": "cup Dice", "vcdr_mae": "vertical CDR error"}


def mirrored(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Left to right: the eye of the other side."""
    return photograph[:, ::-1], mask[:, ::-1]


def upside_down(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Turned by 180 degrees, as indirect optics show a fundus."""
    return photograph[::-1, ::-1], mask[::-1, ::-1]


def dark(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """At two fifths of the light."""
    return (photograph * 0.4).astype(np.uint8), mask


def pale(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Half the contrast around a light grey, as through a cataract."""
    return (80 + photograph * 0.5).astype(np.uint8), mask


def grey(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Without colour."""
    return np.asarray(Image.fromarray(photograph).convert("L").convert("RGB")), mask


def blurred(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Out of focus: a Gaussian of half a hundredth of the side."""
    radius = 0.005 * max(mask.shape)
    return np.asarray(Image.fromarray(photograph).filter(ImageFilter.GaussianBlur(radius))), mask


def coarse_jpeg(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """JPEG of quality 20."""
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file)), mask


def disc_centred(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Cropped to three disc diameters, the disc in the middle."""
    return _crop(photograph, mask, 3.0, (0.5, 0.5))


def cropped_at_the_disc(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Cropped to four disc diameters, the disc in the upper left, a quarter of its diameter from the edges."""
    return _crop(photograph, mask, 4.0, (0.75 / 4, 0.75 / 4))


def wide_field(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Half as large in the right half of a black frame of the same size, as of a camera of twice the field."""
    height, width = mask.shape
    size = (width // 2, height // 2)
    place = (height // 4, width - size[0])
    frame, labels = np.zeros_like(photograph), np.zeros_like(mask)
    here = np.s_[place[0] : place[0] + size[1], place[1] : place[1] + size[0]]
    frame[here] = Image.fromarray(photograph).resize(size, Image.Resampling.BICUBIC)
    labels[here] = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
    return frame, labels


def _crop(
    photograph: np.ndarray, mask: np.ndarray, diameters: float, at: tuple[float, float]
) -> Eye:
    """A square of so many disc heights, the disc's middle at shares (down, across) of it; black beyond the picture."""
    rows, columns = np.nonzero((mask > 0) & (mask != IGNORE))
    side = round(diameters * (np.ptp(rows) + 1))
    middle = [(values.min() + values.max() + 1) / 2 for values in (rows, columns)]
    top, left = (round(m - share * side) for m, share in zip(middle, at, strict=True))
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(photograph).crop(box)), np.asarray(
        Image.fromarray(mask).crop(box)
    )


def as_it_is(photograph: np.ndarray, mask: np.ndarray) -> Eye:
    """Unchanged."""
    return photograph, mask


CONDITIONS: tuple[Callable[[np.ndarray, np.ndarray], Eye], ...] = (
    as_it_is, mirrored, upside_down, dark, pale, grey, blurred, coarse_jpeg, disc_centred, cropped_at_the_disc, wide_field,
)  # fmt: skip


def records(
    predictor: EyePredictor, eyes: LabelledEyes, condition: Callable[[np.ndarray, np.ndarray], Eye]
) -> list[EyeRecord]:
    """Scores of each eye under a condition; eyes whose mask has no disc are left out."""
    with_disc = [
        i for i, mask in enumerate(eyes.native_masks) if ((mask > 0) & (mask != IGNORE)).any()
    ]
    changed = [condition(eyes.native_photographs[i], eyes.native_masks[i]) for i in with_disc]
    found = []
    results = predictor.stream([photograph for photograph, _ in changed], [None] * len(changed))
    for i, (_, mask), result in zip(with_disc, changed, results, strict=True):
        seen = result.probabilities
        if seen is None:
            raise ValueError("this run does not segment")
        found.append(score_eye(eyes.ids[i], eyes.patients[i], probabilities=seen, mask=mask))
    return found


def row(name: str, found: Sequence[EyeRecord]) -> dict[str, object]:
    """A condition's scores, each an interval, and the number of eyes in which a disc was found."""
    summary = imo_summary(found)
    seen = sum(bool(np.isfinite(record["vcdr_pred"])) for record in found)
    return {"photographs": name, "discs found": f"{seen}/{len(found)}"} | {
        words: summary[score] for score, words in SCORES.items()
    }


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; returns 1 where something is wrong with the input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", type=pathlib.Path, required=True, help="folder of a run that segments"
    )
    parser.add_argument("--manifest", type=pathlib.Path, required=True)
    parser.add_argument("--data_root", type=pathlib.Path, help="where files not beside it are")
    parser.add_argument("--out", type=pathlib.Path, help="CSV file of the table as well")
    options = parser.parse_args(arguments)
    try:
        eyes = read_labelled_eyes(options.manifest, "test", 32, options.data_root)
        if not len(eyes):
            raise ValueError(f"{options.manifest}: no eye with a mask in split test")
        predictor = imo_jax.load(options.run)
        if not isinstance(predictor, EyePredictor):
            raise ValueError(f"{options.run}: not a run on photographs")
        rows = []
        for condition in CONDITIONS:
            rows.append(
                row(condition.__name__.replace("_", " "), records(predictor, eyes, condition))
            )
            print(rows[-1]["photographs"], rows[-1]["discs found"], file=sys.stderr, flush=True)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    shown = [
        [value if isinstance(value, str) else cell(value) for value in row.values()] for row in rows
    ]
    print(markdown(list(rows[0]), shown))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(shown, columns=list(rows[0])).to_csv(options.out, index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
