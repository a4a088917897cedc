"""Everything worth knowing on a GPU, the most important first, within a few minutes.

python -m benchmarks.gpu --minutes=8 --json=gpu.jsonl      # on a machine with a GPU
python -m benchmarks.gpu --small                           # the same in a small form, on any machine

In this order: numerics against the CPU; IMO's train step at 640 x 640, batch 6, in bfloat16 beside
eager and compiled PyTorch, with its share of the matmul ceiling and its peak memory; the largest
kernels of that step; prediction at 1024; the step in TF32; the loader against the step; SEMT's
step; the search for donors. Each check is a process of its own that appends JSON lines to --json as
it ends, so that a run that is cut off keeps what it has. Needs no TensorFlow; without torch ours is
timed alone.
"""

import argparse
import dataclasses
import importlib.util
import json
import pathlib
import subprocess
import sys
import time

from benchmarks.gpu.kernels import MODULE as KERNELS
from benchmarks.gpu.numerics import MODULE as NUMERICS

SPEED = "benchmarks.speed"
LEAST_SECONDS = 20  # a check that has less left is not begun


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing to know.

    Attributes:
      name: for people.
      module: run as `python -m module`.
      full, small: its arguments on a GPU, and on any machine.
      peers: whether PyTorch takes part.
    """

    name: str
    module: str
    full: tuple[str, ...]
    small: tuple[str, ...]
    peers: bool = False


# Of every speed check in the small form.
TINY = ("--config=tiny", "--size=64", "--batch=2", "--oct_size=32", "--repeats=2")
TRAIN = ("--what=train", "--size=640", "--batch=6")
CHECKS = (
    Check("numerics against the CPU", NUMERICS, ("--size=128",), ("--size=64",)),
    Check(
        "IMO train step, bfloat16",
        SPEED,
        (*TRAIN, "--precision=bfloat16"),
        ("--what=train", *TINY),
        peers=True,
    ),
    Check(
        "largest kernels of that step",
        KERNELS,
        ("--size=640", "--batch=6", "--precision=bfloat16"),
        ("--config=tiny", "--size=64", "--batch=2", "--oct_size=32"),
    ),
    Check(
        "IMO prediction at 1024, 3 steps",
        SPEED,
        ("--what=sample", "--size=1024", "--batch=1", "--precision=bfloat16"),
        ("--what=sample", *TINY),
        peers=True,
    ),
    Check(
        "IMO train step, TF32",
        SPEED,
        (*TRAIN, "--precision=tf32"),
        ("--what=train", *TINY),
        peers=True,
    ),
    Check(
        "loader, photographs of 640",
        SPEED,
        ("--what=loader", "--size=640", "--batch=6"),
        ("--what=loader", "--size=64", "--batch=2", "--repeats=2"),
    ),
    Check(
        "SEMT train step, bfloat16",
        SPEED,
        ("--what=train", "--model=semt", "--batch=32", "--precision=bfloat16"),
        ("--what=train", "--model=semt", "--config=tiny", "--size=64", "--batch=2", "--repeats=2"),
        peers=True,
    ),
    Check(
        "nearest donors",
        SPEED,
        ("--what=surrogate",),
        ("--what=surrogate", "--size=500", "--batch=100", "--repeats=2"),
    ),
)


def command(check: Check, small: bool, json_file: pathlib.Path, with_torch: bool) -> list[str]:
    """The command line of a check."""
    arguments = [*(check.small if small else check.full), f"--json={json_file}"]
    if check.peers and with_torch:
        # Compiling takes PyTorch minutes: in the small form eager is enough.
        arguments += ["--peer", *(("--impls", "torch") if small else ())]
    return [sys.executable, "-m", check.module, *arguments]


def run_check(
    check: Check, small: bool, json_file: pathlib.Path, with_torch: bool, seconds: float
) -> str:
    """Runs a check; "done", "failed" or "cut off"."""
    try:
        done = subprocess.run(command(check, small, json_file, with_torch), timeout=seconds)
    except subprocess.TimeoutExpired:
        return "cut off"
    return "failed" if done.returncode else "done"


def run(checks: tuple[Check, ...], args: argparse.Namespace) -> int:
    """Runs checks until the time is over; 1 where one failed."""
    end = time.monotonic() + 60 * args.minutes
    with_torch = importlib.util.find_spec("torch") is not None
    args.json.parent.mkdir(parents=True, exist_ok=True)
    outcomes = {}
    for check in checks:
        left = end - time.monotonic()
        begun, outcome = time.monotonic(), "not begun"
        if left > LEAST_SECONDS:
            print(f"== {check.name} ({left:.0f} s left)", file=sys.stderr, flush=True)
            outcome = run_check(check, args.small, args.json, with_torch, left)
        outcomes[check.name] = outcome
        line = {"check": check.name, "outcome": outcome, "seconds": time.monotonic() - begun}
        with args.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    for name, outcome in outcomes.items():
        print(f"{outcome:9} {name}")
    print(f"written to {args.json}")
    return int("failed" in outcomes.values())


def main(argv: list[str] | None = None) -> int:
    """Runs all checks, or those named; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="after so long it ends")
    parser.add_argument("--json", type=pathlib.Path, default=pathlib.Path("gpu.jsonl"))
    parser.add_argument("--small", action="store_true", help="small sizes, for any machine")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="checks whose name has a word")
    args = parser.parse_args(argv)
    words = args.only or [""]
    chosen = tuple(check for check in CHECKS if any(word in check.name for word in words))
    if not chosen:
        parser.error(f"--only: the checks are {'; '.join(check.name for check in CHECKS)}")
    return run(chosen, args)


if __name__ == "__main__":
    sys.exit(main())
