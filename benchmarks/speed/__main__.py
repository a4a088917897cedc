"""Times ours, and with --peer PyTorch's twins in turn with it; a table, and JSON lines.

python -m benchmarks.speed --what=train --size=256 --batch=2 --peer --json=speed.jsonl

what
  train      one step: forward, losses, backward, clipping, AdamW; ours pmapped on one device
  sample     prediction: encoder, DDIM steps, probabilities and uncertainty at image size
  encode     IMO's encoder and grading head, or SEMT's network or the U-Net, without gradients
  compile    from process start to the end of the first train step, cold and warm compile cache
  surrogate  nearest of --size donors to each of --batch queries of 512 features
  loader     batches of eyes with volumes, from threads and tf.data

Times are medians of --repeats calls after warm-up; with --peer the implementations take turns, call
by call, each in a process of its own, whose peak memory is told (on a GPU the device's). Before
that the outputs are compared (of a train step: losses, clipped gradients, batch statistics), with
the same weights and draws; where they differ by more than the tolerance nothing is timed. Needs no
TensorFlow; --peer needs torch (pip install -e '.[torch]'), of the U-Net ('unet', on an EfficientNet-Lite)
also segmentation_models_pytorch (pip install -e '.[unet]'). IMO in two stages on the same encoder has no twin and
is timed alone (--model=two_stages, --config=square or locator).
"""

import argparse
import dataclasses
import itertools
import pathlib
import subprocess
import sys
from typing import Any

from benchmarks.speed.first_step import first_steps
from benchmarks.speed.loader import loader_rows
from benchmarks.speed.machine import commit
from benchmarks.speed.measure import Disagreement, measure
from benchmarks.speed.report import append_lines, complete, table
from benchmarks.speed.task import MODELS, OTHERS, PRECISIONS, WHATS, Task
from benchmarks.speed.worker import WorkerError


def networks(model: str) -> dict[str, Any]:
    """Name -> config of a model's sizes."""
    from imo_jax.models.imo import SIZES as imo_sizes
    from imo_jax.models.segmenters import SegmenterConfig
    from imo_jax.models.semt import SIZES as semt_sizes

    # The decoder of segmentation_models_pytorch, on the encoders that we compare.
    unet_sizes = {
        name: SegmenterConfig(network="unet", size="resnet34", encoder=name)
        for name in ("efficientnet_lite0", "efficientnet_lite2")
    }
    # Of the flagfile for photographs: the network of the square, and what finds it.
    square = dataclasses.replace(
        imo_sizes["tiny"], encoder="efficientnet_lite0", use_oct=False, grade=False, refine="single",
        auxiliary_head=True, merged_conv=True, fine_stride=2, fine_dim=24,
    )  # fmt: skip
    two_stages = {"square": square, "locator": dataclasses.replace(square, fine_stride=4)}
    by_model = {"imo": imo_sizes, "semt": semt_sizes, "unet": unet_sizes, "two_stages": two_stages}
    return by_model[model]


def network_of(
    args: argparse.Namespace, parser: argparse.ArgumentParser
) -> tuple[str, dict[str, Any]]:
    """Name and fields of the config of the model that is asked for."""
    timed = MODELS[args.model]
    if args.what not in timed.whats:
        those = [name for name, other in MODELS.items() if args.what in other.whats]
        parser.error(f"--what={args.what} is there for --model={' or '.join(those)}")
    if args.peer and not timed.twin:
        parser.error(
            f"--model={args.model} has no twin in PyTorch; a U-Net on its encoder has: --model=unet"
        )
    sizes = networks(args.model)
    config = args.config or timed.config
    if config not in sizes:
        parser.error(f"--config={config}: choose one of {', '.join(sizes)}")
    dtype = "bfloat16" if args.precision == "bfloat16" else "float32"
    return config, dataclasses.asdict(dataclasses.replace(sizes[config], dtype=dtype))


def tasks(args: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Task]:
    """Every combination of the sizes, steps and samples asked for."""
    model, config, network = "", "", {}
    size, batch = OTHERS.get(args.what, (0, 0))
    if args.what not in OTHERS:
        model = args.model
        config, network = network_of(args, parser)
        size, batch = MODELS[model].size, MODELS[model].batch
    grid = itertools.product(args.size or [size], args.steps, args.samples)
    return [
        Task(
            args.what, model, config, network, size, args.batch or batch, args.precision,
            steps, samples, args.oct_size, args.compile_mode,
        )
        for size, steps, samples in grid
    ]  # fmt: skip


def rows_of(task: Task, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures one task."""
    impls = ["jax", *(args.impls if args.peer else [])]
    if task.what == "surrogate":
        impls = [impl for impl in impls if impl != "torch_compile"]
    if task.what == "loader":
        return loader_rows(task, args.repeats)
    if task.what == "compile":
        return first_steps(task, impls, args.repeats, say)
    return measure(task, impls, args.repeats, say)


def say(line: str) -> None:
    """A line of progress, at once."""
    print(line, file=sys.stderr, flush=True)


def _numbers(text: str) -> list[int]:
    values = [int(part) for part in text.split(",")]
    if min(values) < 1:
        raise argparse.ArgumentTypeError("want positive numbers with commas between")
    return values


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--what", required=True, choices=WHATS)
    parser.add_argument("--model", default="imo", choices=list(MODELS))
    sizes = ", ".join(timed.config for timed in MODELS.values())
    parser.add_argument("--config", help=f"size of the model; default: {sizes}")
    parser.add_argument("--size", type=_numbers, help="side of the images, or several: 128,256")
    parser.add_argument("--batch", type=int, help="images a call")
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--steps", type=_numbers, default=[3], help="of the sampler")
    parser.add_argument("--samples", type=_numbers, default=[1], help="of the sampler, an eye")
    parser.add_argument("--oct_size", type=int, default=256, help="side of the OCT slices")
    parser.add_argument("--repeats", type=int, default=10, help="timed calls")
    parser.add_argument("--peer", action="store_true", help="time PyTorch too")
    parser.add_argument(
        "--impls", nargs="+", default=["torch", "torch_compile"],
        choices=["torch", "torch_compile"], help="of PyTorch; default: both",
    )  # fmt: skip
    parser.add_argument(
        "--compile_mode", default="default", help="of torch.compile: default, reduce-overhead, ..."
    )
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="append JSON lines here")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Prints the table; returns 1 where something failed."""
    parser = _parser()
    args = parser.parse_args(argv)
    rows = []
    try:
        for task in tasks(args, parser):
            found = [complete(row, task, commit()) for row in rows_of(task, args)]
            if args.json:
                append_lines(args.json, found)
            rows += found
    except (Disagreement, WorkerError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if rows:
            print(f"{rows[0]['device']}, {args.precision}, commit {rows[0]['commit'] or 'unknown'}")
            print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
