"""Gives damaged files to every reader: each is read, or refused in words; quickly; running nothing.

    python tests/mutations/harness.py --inputs=100000 [--seed=1] [--only=volume]

prints each input that is neither, with what repeats it.
"""

import argparse
import contextlib
import dataclasses
import io
import os
import pathlib
import sys
import tempfile
import time
import traceback
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from mutate import mutated  # noqa: E402

SLOWEST = 5.0  # seconds of processor time that a damaged file of some kilobytes may take


@dataclasses.dataclass(frozen=True)
class Fault:
    """An input that was neither read nor refused as it should be.

    Attributes:
      target, file, seed: what repeats it, see `mutated_input`.
      what: what happened.
    """

    target: str
    file: str
    seed: str
    what: str


def run(inputs: int, seed: int, folder: pathlib.Path, only: str | None = None) -> list[Fault]:
    """Reads about so many damaged files; those that went wrong.

    Args:
      inputs: how many, over all readers by their share.
      seed: of the damage.
      folder: empty, for the files.
      only: name of a reader; None = all.
    """
    trap = folder / "sprung"
    os.environ["MUTATION_TRAP"] = str(trap)
    from targets import targets  # pickles what would spring the trap

    chosen = {k: t for k, t in targets().items() if only in (None, k)}
    shares = sum(target.share for target in chosen.values())
    faults = []
    for name, target in chosen.items():
        home = folder / name
        home.mkdir()
        target.around(home)
        for file, content in target.seeds.items():
            if problem := problem_of(target, home / file, content, whole=True):
                raise AssertionError(f"{name}: {file} undamaged: {problem}")
        files = list(target.seeds)
        for number in range(max(1, round(inputs * target.share / shares))):
            file, this = files[number % len(files)], f"{seed}/{name}/{number}"
            content = mutated(target.seeds[file], target.text, this)
            if problem := problem_of(target, home / file, content):
                faults.append(Fault(name, file, this, problem))
            if trap.exists():
                trap.unlink()
                faults.append(Fault(name, file, this, "ran code"))
            (home / file).write_bytes(target.seeds[file])
    return faults


def problem_of(target, path: pathlib.Path, content: bytes, whole: bool = False) -> str | None:
    """What is wrong with how a reader takes a file; None = it reads or refuses it, soon."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    started, problem = time.process_time(), None
    quiet = contextlib.redirect_stderr(io.StringIO())
    with warnings.catch_warnings(), quiet, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            target.read(path)
        except target.may_raise as error:
            if not str(error).strip():
                problem = "refused without a word"
        except Exception:  # noqa: BLE001 - whatever is undeclared is what is looked for
            problem = traceback.format_exc(limit=-4)
    seconds = time.process_time() - started
    if problem is None and seconds > SLOWEST and not whole:
        problem = f"took {seconds:.1f} s"
    return problem


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = run(options.inputs, options.seed, pathlib.Path(temporary), options.only)
    for fault in found:
        print(f"{fault.target}: {fault.file}, seed {fault.seed!r}:\n{fault.what}\n")
    print(f"{options.inputs} inputs, {len(found)} faults")
    sys.exit(bool(found))
