"""Kills a training with SIGKILL again and again; what comes out must be the same bits.

    python tests/end_to_end/kill_and_resume.py --kills=20 [--program=semt]
    python tests/end_to_end/kill_and_resume.py --disk_fills [--program=semt]    # as root: a tmpfs

Trains a small run (of SEMT and in two stages both, of a table all its runs) to its end once. Then
trains it again in another folder, killing the process at a random moment of its life, some of them
while a checkpoint is being written, and starting it anew until it has been killed often enough and
has come to its end. All arrays of the last checkpoint of each stage (parameters, their average,
batch statistics, optimiser) must equal those of the run left alone.

With --disk_fills the folder lies on a disk that is too small: the training must end with one
sentence, and the same command on a larger disk must come to the same bits.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping

sys.path[:0] = map(str, pathlib.Path(__file__).resolve().parents[:3])  # beside it, tests, all

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
    """What is killed: its command line, its data, and where in its folder it trains.

    Attributes:
      command: of its run in a folder, on a manifest.
      phantom: how its data are made.
      manifest: name of its manifest in the phantom's folder.
      stages: folder in that of the run -> steps that are trained there.
    """

    command: Callable[..., list[str]]
    phantom: dict[str, int | float]
    manifest: str
    stages: Mapping[str, int]


def two_stages(workdir: pathlib.Path, manifest: pathlib.Path, *more: str) -> list[str]:
    squares = ("--region=disc", "--locator_steps=12", "--crop_mode=none", "--crop_size=64")
    return small_run.command(workdir, manifest, *squares, *more)


def baseline(program: str, network: str) -> Callable[..., list[str]]:
    """The command of a small run of a segmenter or grader."""

    def command(workdir: pathlib.Path, manifest: pathlib.Path, *more: str) -> list[str]:
        return [
            sys.executable, "-m", f"experiments.{program}", f"--network={network}",
            f"--workdir={workdir}", f"--manifest={manifest}", *small_run.SHARED_SETTINGS, *more,
        ]  # fmt: skip

    return command


def table(workdir: pathlib.Path, manifest: pathlib.Path, *more: str) -> list[str]:
    """Two rows of a table, on the squares of a locator."""
    return [
        sys.executable, "-m", "experiments.tables", "--table=1", "--only=unet,imo", "--rates=1e-3",
        f"--out={workdir}", f"--manifest={manifest}", *small_run.IMO_SETTINGS,
        "--image_size=64", "--crop_size=64", "--batch_size=4", "--eval_batch_size=4",
        "--locator_steps=12", "--warmup_steps=2", "--bootstrap=50",
        *(setting for setting in more if setting != "--mode=train"),
    ]  # fmt: skip


EYES = {"eyes": 16, "seed": 0}
PROGRAMS = {
    "imo": Program(small_run.command, EYES, "manifest.csv", {"": STEPS}),
    "two_stages": Program(two_stages, EYES, "manifest.csv", {"locator": 12, "": STEPS}),
    "segmenter": Program(baseline("segmenter", "unet"), EYES, "manifest.csv", {"": STEPS}),
    "grader": Program(baseline("grader", "resnet"), EYES, "manifest.csv", {"": STEPS}),
    "semt": Program(
        small_screening.command,
        small_screening.PHANTOM,
        "screening.csv",
        {"stage1": STEPS, "": STEPS},
    ),
    "tables": Program(
        table,
        EYES,
        "manifest.csv",
        {
            "locator/fold0-seed0": 12,
            "unet/fold0-seed0-rate0.001": STEPS,
            "imo/fold0-seed0-rate0.001": STEPS,
        },
    ),
}


def last_arrays(workdir: pathlib.Path, stages: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Every array of the last checkpoint of each stage, which is that of its last step, by name."""
    found = {}
    for stage, last in stages.items():
        with Checkpoints(workdir / stage / "checkpoints", read_only=True) as checkpoints:
            step = checkpoints.steps()[-1]
            assert step == last, f"the last checkpoint of {stage or 'the run'} is of step {step}"
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


def run(arguments: list[str], cache: pathlib.Path) -> subprocess.CompletedProcess:
    """To the end, however busy the machine is."""
    return small_run.run_alone(arguments, cache, timeout=1800)


def left_alone(
    folder: pathlib.Path, program: Program
) -> tuple[pathlib.Path, dict[str, np.ndarray], float]:
    """Manifest, arrays of a run that nothing disturbs (in folder/alone), and its seconds."""
    manifest = make_phantom(folder / "phantom", **program.phantom) / program.manifest
    # Once to fill the caches, so that the timed life is that of the processes to be killed.
    for workdir in (folder / "warm", folder / "alone"):
        started = time.monotonic()
        done = run(program.command(workdir, manifest, *MORE), folder / "cache")
        assert done.returncode == 0, done.stderr
        life = time.monotonic() - started
    return manifest, last_arrays(folder / "alone", program.stages), life


def main(kills: int, seed: int, folder: pathlib.Path, program: Program) -> list[str]:
    """Runs the comparison in an empty folder; returns what each kill hit.

    Raises:
      AssertionError: an array differs, or is missing.
    """
    rng = random.Random(seed)
    manifest, expected, life = left_alone(folder, program)
    cache = folder / "cache"
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
        done = run(arguments, cache)
        assert done.returncode == 0, done.stderr
        compare(expected, last_arrays(workdir, program.stages))
    return hit


@contextlib.contextmanager
def disk_of(size: int, folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A disk of its own of so many bytes, mounted at a folder; may be enlarged."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def disk_fills(seed: int, folder: pathlib.Path, program: Program, times: int = 4) -> list[str]:
    """Runs the comparison on a disk that fills up `times` times; what each end said.

    Raises:
      AssertionError: an array differs, or the program did not end with one sentence.
    """
    rng = random.Random(seed)
    manifest, expected, _ = left_alone(folder, program)
    used = sum(f.stat().st_size for f in (folder / "alone").rglob("*") if f.is_file())
    said, sizes = [], sorted(rng.uniform(0.05, 0.8) * used for _ in range(times))
    with disk_of(int(sizes[0]), folder / "disk") as disk:
        arguments = program.command(disk / "run", manifest, *MORE)
        for size in sizes:
            subprocess.run(["mount", "-o", f"remount,size={int(size)}", disk], check=True)
            done = run(arguments, folder / "cache")
            assert done.returncode != 0, f"{size:.0f} of {used} bytes were enough"
            said.append(done.stderr.strip().splitlines()[-1])
            assert "Traceback" not in done.stderr, done.stderr[-3000:]
            assert "No space left on device" in said[-1], said[-1]
            print(f"{size:.0f} of {used} bytes: {said[-1]}", flush=True)
        subprocess.run(["mount", "-o", f"remount,size={4 * used}", disk], check=True)
        done = run(arguments, folder / "cache")
        assert done.returncode == 0, done.stderr
        compare(expected, last_arrays(disk / "run", program.stages))
    return said


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
    parser.add_argument("--disk_fills", action="store_true", help="instead of kills")
    options = parser.parse_args()
    chosen = PROGRAMS[options.program]
    with tempfile.TemporaryDirectory() as temporary:
        if options.disk_fills:
            ends = disk_fills(options.seed, pathlib.Path(temporary), chosen)
            print(f"{options.program}: the disk was full {len(ends)} times: the same bits")
        else:
            moments = main(options.kills, options.seed, pathlib.Path(temporary), chosen)
            saving = moments.count("saving")
            print(f"{options.program}: {len(moments)} kills ({saving} while saving): the same bits")
