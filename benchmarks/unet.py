"""A plain U-Net on the photographs of a manifest, to compare with: MONAI's BasicUNet, 2-D.

python -m benchmarks.unet --manifest=FILE --out=DIR --minutes=8 --threads=2

The whole photograph squeezed into a square, mirroring, Dice + cross entropy, AdamW, a learning rate
that falls to 0 when time is up, and the weights of the best validation. Time is of the clock and
counts steps and validation; reading, choosing a memory format and the test split come on top. The
test split is scored at the masks' native size by the metrics of imo_jax, into DIR/summary.json
(the keys of experiments.imo, and `run`) and DIR/per_eye.csv. For the columns of the manifest see
benchmarks/labelled_eyes.py. Needs torch and monai: pip install -e '.[parity]'.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import sys
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.labelled_eyes import LabelledEyes, read_labelled_eyes
from benchmarks.unet_network import (
    FEATURES,
    STRIDE,
    PhotographUNet,
    predict,
    use_faster_memory_format,
)
from benchmarks.unet_training import Settings, Training, Validation, train
from imo_jax.metrics.imo_eye import EyeRecord, eye_row, score_eye
from imo_jax.metrics.imo_summary import imo_summary

SPLITS = ("train", "val", "test")
PRINTED = {"disc_dice": "whole-disc Dice", "cup_dice": "cup Dice", "vcdr_mae": "vertical CDR error"}


def native_probabilities(logits: torch.Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Logits (C, S, S) -> probabilities (H, W, C) float32 at the mask's native size (H, W)."""
    large = F.interpolate(logits[None], size=shape, mode="bilinear", align_corners=False)
    # (1, C, H, W) -> (H, W, C)
    return large[0].softmax(dim=0).permute(1, 2, 0).numpy()


def score_eyes(model: PhotographUNet, eyes: LabelledEyes) -> list[EyeRecord]:
    """Records of `imo_eye.score_eye`, at native size; uncertainty = entropy of the pixel."""
    records = []
    for i, logits in enumerate(predict(model, eyes.photographs)):
        probabilities = native_probabilities(logits, eyes.native_masks[i].shape)
        entropy = -(probabilities * np.log(probabilities.clip(1e-12))).sum(axis=-1)
        records.append(
            score_eye(
                eyes.ids[i],
                eyes.patients[i],
                probabilities=probabilities,
                mask=eyes.native_masks[i],
                uncertainty=entropy,
            )
        )
    return records


def run(
    splits: dict[str, LabelledEyes], settings: Settings, features: tuple[int, ...], say=print
) -> tuple[list[EyeRecord], dict[str, Any]]:
    """Trains on `train`, chooses on `val`, scores `test`.

    Args:
      splits: LabelledEyes of each of SPLITS, none of them empty.
      settings, features: of the training and the network.
      say: called with lines of progress.

    Returns:
      The records of the test eyes, and what is to be known about the run.
    """
    torch.manual_seed(settings.seed)
    model = PhotographUNet(features).to("cuda" if torch.cuda.is_available() else "cpu")
    size = splits["train"].masks.shape[-1]
    memory_format = use_faster_memory_format(model, size)
    counts = ", ".join(f"{len(eyes)} {name}" for name, eyes in splits.items())
    say(
        f"BasicUNet, {model.num_parameters():,} parameters, {size} x {size}, {counts} eyes, "
        f"{model.device.type} ({torch.get_num_threads()} threads), {memory_format}"
    )

    def report(validation: Validation) -> None:
        say(
            f"{validation.elapsed / 60:6.2f} min  step {validation.step:5d}  "
            f"loss {validation.loss:.4f}  val Dice {validation.score:.4f}"
        )

    training = train(model, splits["train"], splits["val"], settings, say=report)
    about = {
        "method": "MONAI BasicUNet",
        "parameters": model.num_parameters(),
        "features": features,
        "size": size,
        "device": model.device.type,
        "threads": torch.get_num_threads(),
        "memory_format": memory_format,
        "images_per_second": _images_per_second(training, settings.batch),
        "settings": dataclasses.asdict(settings),
        "training": dataclasses.asdict(training),
    }
    return score_eyes(model, splits["test"]), about


def _images_per_second(training: Training, batch: int) -> float:
    """Of the time spent on steps."""
    return training.steps * batch / (training.seconds - training.validation_seconds)


def write_results(out: pathlib.Path, summary: dict[str, Any], records: list[EyeRecord]) -> None:
    """per_eye.csv and, last and whole or not at all, summary.json."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [eye_row(record) for record in records]
    with (out / "per_eye.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    half = out / "summary.json.part"
    half.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", "utf-8")
    half.replace(out / "summary.json")


def _features(text: str) -> tuple[int, ...]:
    numbers = tuple(int(number) for number in text.split(","))
    if len(numbers) != len(FEATURES) or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"want {len(FEATURES)} positive numbers with commas")
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.unet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--manifest", type=pathlib.Path, required=True)
    parser.add_argument("--data_root", type=pathlib.Path, help="where files not beside it are")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=8.0, help="of training (default 8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="of torch (default 2)")
    parser.add_argument("--size", type=int, default=256, help="side of the square (default 256)")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=1e-3, help="initial rate (default 1e-3)")
    parser.add_argument(
        "--features", type=_features, default=FEATURES, metavar="N,N,N,N,N,N",
        help=f"channels of the stages (default {','.join(map(str, FEATURES))}: 2 M parameters)",
    )  # fmt: skip
    parser.add_argument("--augment", action="store_true", help="light colour jitter as well")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the comparison; returns 0, or 1 where something is wrong with the input."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.size % STRIDE or args.size < 2 * STRIDE:
        parser.error(f"--size={args.size}: want a multiple of {STRIDE}, at least {2 * STRIDE}")
    if min(args.minutes, args.threads, args.batch, args.lr) <= 0:
        parser.error("--minutes, --threads, --batch and --lr are positive")
    torch.set_num_threads(args.threads)
    settings = Settings(60.0 * args.minutes, args.batch, args.lr, args.augment, args.seed)
    try:
        splits = {
            name: read_labelled_eyes(args.manifest, name, args.size, args.data_root)
            for name in SPLITS
        }
        empty = [name for name, eyes in splits.items() if not len(eyes)]
        if empty:
            raise ValueError(f"{args.manifest}: no eye with a mask in split {', '.join(empty)}")
        records, about = run(splits, settings, args.features)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    summary = imo_summary(records) | {"run": about}
    write_results(args.out, summary, records)
    for key, name in PRINTED.items():
        value = summary[key]
        if value is not None:
            print(f"{name:20s} {value['value']:.4f}  [{value['low']:.4f}, {value['high']:.4f}]")
    print(
        f"{about['training']['steps']} steps, {about['images_per_second']:.2f} images/s, "
        f"{len(records)} test eyes; written to {args.out}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
