"""The smallest complete run: a phantom of a few eyes, a network of a few channels."""

import pathlib
import subprocess
import sys

import programs

# Of every program on eyes, and what only IMO's network has.
SHARED_SETTINGS = (
    "--region=photograph",
    "--image_size=64", "--crop_size=48", "--crop_mode=disc", "--oct_depth=16", "--oct_width=16",
    "--batch_size=4", "--eval_batch_size=4", "--warmup_steps=2", "--bootstrap=50", "--overlays=2",
)  # fmt: skip
IMO_SETTINGS = (
    "--oct_slices=4", "--backbone_depths=1,1,1,1", "--backbone_widths=8,8,16,16",
    "--feature_dim=16", "--norm_groups=4", "--channel_attention_reduction=4", "--grade_hidden=16",
    "--decoder_layers=1", "--decoder_heads=2", "--decoder_mlp=16", "--time_dim=16",
    "--oct_blocks=2", "--grade_blocks=1", "--eval_samples=2",
)  # fmt: skip
SETTINGS = (*SHARED_SETTINGS, *IMO_SETTINGS)

# Parts of the network that take the longest to compile, left out where they are not what is tested.
PLAIN = ("--refine=single", "--fine_stride=4")
# Where it does not matter what is trained: what a locator is, so that all these runs share its programs.
SHAPES_ALONE = (
    *PLAIN, "--nograde", "--nouse_oct", "--crop_mode=none", "--crop_size=64",
    "--train_steps=6", "--eval_every=3", "--save_every=3", "--warmup_steps=0",
)  # fmt: skip


def environment(cache: pathlib.Path, devices: int = 1) -> dict[str, str]:
    """Of a child process: so many CPU devices, and a cache of its own."""
    return programs.environment(devices, IMO_JAX_CACHE=str(cache))


def command(workdir: pathlib.Path, manifest: pathlib.Path, *more: str) -> list[str]:
    """The command line of a small run."""
    return [
        sys.executable, "-m", "experiments.imo", f"--workdir={workdir}",
        f"--manifest={manifest}", *SETTINGS, *more,
    ]  # fmt: skip


def run(
    arguments: list[str], cache: pathlib.Path, timeout: float = 300, compiles_quickly: bool = True
) -> subprocess.CompletedProcess:
    """Runs a command to its end, in a fork that has the libraries; stdout and stderr as text.

    Not quickly, with the run's own programs, what is held against a run that began with nothing.
    """
    return programs.run(arguments, environment(cache), timeout, compiles_quickly)


def run_alone(
    arguments: list[str], cache: pathlib.Path, timeout: float = 300
) -> subprocess.CompletedProcess:
    """The same in a process that begins with nothing, as a user starts it."""
    return subprocess.run(
        arguments, env=environment(cache), capture_output=True, text=True, timeout=timeout
    )
