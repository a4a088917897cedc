"""Kills a training with SIGKILL again and again; what comes out must be the same bits.

    python tests/end_to_end/kill_and_resume.py --kills=20 [--program=semt]

Trains a small run (of SEMT both stages) to its end once. Then trains it again in another folder,
killing the process at a random moment of its life, some of them while a checkpoint is being
written, and starting it anew until it has been killed often enough and has come to its end. All
arrays of the last checkpoint of each stage (parameters, their average, batch statistics,
optimiser) must equal those of the run left alone.
"""

import argparse
import dataclasses
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np  # noqa: E402
import small_run  # noqa: E402
import small_screening  # noqa: E402
from flax import traverse_util  # noqa: E402

from data_pipelines.phantom import make_phantom  # noqa: E402
from imo_jax.checkpoints import Checkpoints  # noqa: E402

STEPS = 40
MORE = ("--mode=train", f"--train_steps={STEPS}", "--eval_every=10", "--save_every=4")


@dataclasses.dataclass(frozen=True)
class Program:
    """What is killed: its command line, its data, and where in its folder it trains."""

    command: Callable[..., list[str]]
    phantom: dict[str, int | float]
    manifest: str
    stages: tuple[str, ...]


PROGRAMS = {
    "imo": Program(small_run.command, {"eyes": 16, "seed": 0}, "manifest.csv", ("",)),
    "semt": Program(
        small_screening.command, small_screening.PHANTOM, "screening.csv", ("stage1", "")
    ),
}


def last_arrays(
    workdir: pathlib.Path, stages: tuple[str, ...], last: int = STEPS
) -> dict[str, np.ndarray]:
    """Every array of the last checkpoint of each stage, which is that of step `last`, by name."""
    found = {}
    for stage in stages:
        with Checkpoints(workdir / stage / "checkpoints", read_only=True) as checkpoints:
            step = checkpoints.steps()[-1]
            assert step == last, f"the last checkpoint is of step {step}, not {last}"
            items = {name: checkpoints.restore(step, name) for name in ("variables", "training")}
        found |= traverse_util.flatten_dict({stage or "run": items}, sep="/")
    return found


def being_saved(workdir: pathlib.Path) -> bool:
    """Whether a checkpoint is under its temporary name at this moment."""
    return any("tmp" in path.name for path in workdir.glob("**/checkpoints/*"))


def kill_once(
    arguments: list[str], cache: pathlib.Path, workdir: pathlib.Path, delay: float, saving: bool
) -> str | None:
    """Starts the training and kills it after `delay` seconds, or at the next save after that.

    Returns what it was doing; None where it came to its end before.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            arguments, env=small_run.environment(cache), stdout=output, stderr=output
        )
        end = time.monotonic() + delay
        while process.poll() is None:
            late = time.monotonic() >= end
            if late and (not saving or being_saved(workdir)):
                process.send_signal(signal.SIGKILL)
                process.wait()
                return "saving" if being_saved(workdir) else "running"
            time.sleep(0.001)
        if process.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"the training failed:\n{output.read().decode()}")
    return None


def main(kills: int, seed: int, folder: pathlib.Path, program: Program) -> list[str]:
    """Runs the comparison in an empty folder; returns what each kill hit.

    Raises:
      AssertionError: an array differs, or is missing.
    """
    rng = random.Random(seed)
    manifest = make_phantom(folder / "phantom", **program.phantom) / program.manifest
    cache = folder / "cache"
    alone = folder / "alone"
    # Once to fill the caches, so that the timed life is that of the processes to be killed.
    for workdir in (folder / "warm", alone):
        started = time.monotonic()
        done = small_run.run(program.command(workdir, manifest, *MORE), cache)
        assert done.returncode == 0, done.stderr
        life = time.monotonic() - started
    expected = last_arrays(alone, program.stages)
    hit, round_number = [], 0
    while len(hit) < kills:
        workdir = folder / f"killed{round_number}"
        round_number += 1
        arguments = program.command(workdir, manifest, *MORE)
        while len(hit) < kills:
            doing = kill_once(arguments, cache, workdir, rng.uniform(0, life), rng.random() < 0.5)
            if doing is None:
                break
            hit.append(doing)
            print(f"kill {len(hit)}: {doing}", flush=True)
        done = small_run.run(arguments, cache)
        assert done.returncode == 0, done.stderr
        compare(expected, last_arrays(workdir, program.stages))
    return hit


def compare(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> None:
    """AssertionError where names, or bits of any array, differ."""
    assert expected.keys() == found.keys(), expected.keys() ^ found.keys()
    different = [name for name in expected if not np.array_equal(expected[name], found[name])]
    assert not different, f"{len(different)} of {len(expected)} arrays differ: {different[:5]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--program", choices=list(PROGRAMS), default="imo")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        moments = main(
            options.kills, options.seed, pathlib.Path(temporary), PROGRAMS[options.program]
        )
    print(f"{len(moments)} kills ({moments.count('saving')} while saving): the same bits")
