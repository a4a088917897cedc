"""The smallest complete screening run: a few eyes at 32 pixels, a network of a few channels."""

import pathlib
import sys

# (eyes, visits, volumes a visit) of its phantom; the fractions leave both classes everywhere.
PHANTOM = {"eyes": 16, "seed": 3, "visits": 2, "volumes_per_visit": 2, "val_fraction": 0.2}

SETTINGS = (
    "--scan_size=32", "--max_scans=6", "--cube_slices=8", "--cube_depth=16", "--cube_width=8",
    "--stage_sizes=1,1", "--width=4", "--regression_width=4", "--cnn_width=4",
    "--batch_size=4", "--eval_batch_size=16", "--warmup_steps=2", "--bootstrap=50",
    "--overlays=2",
)  # fmt: skip
LENGTH = ("--train_steps=6", "--eval_every=3", "--save_every=2")


def command(workdir: pathlib.Path, manifest: pathlib.Path, *more: str) -> list[str]:
    """The command line of a small screening run."""
    return [
        sys.executable, "-m", "experiments.semt", f"--workdir={workdir}",
        f"--manifest={manifest}", *SETTINGS, *LENGTH, *more,
    ]  # fmt: skip
