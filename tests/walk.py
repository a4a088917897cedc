"""The way of a datum through the house: the files whose functions a program enters.

    python tests/walk.py --until=validated experiments.imo --mode=train --train_steps=1 ...

runs the program and says, when it ends or first enters the function --until, how many files of each
room it has entered, and on which floors of experiments/ they stand. Another checkout on PYTHONPATH
is walked instead of this one.
"""

import argparse
import collections
import contextlib
import importlib
import pathlib
import sys
import threading

from floors import floors, module_of

ROOMS = ("data_pipelines", "experiments", "imo_jax")
FUNCTION = 1  # inspect.CO_OPTIMIZED: not the body of a module or class


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--until", default="", help="names of functions, separated by commas")
    parser.add_argument("module", help="of the program, then its flags")
    options, arguments = parser.parse_known_args()
    program = importlib.import_module(options.module)
    root = pathlib.Path(program.__file__).resolve().parents[1]
    sys.argv = [program.__file__, *arguments]
    entered = walked(getattr(program, "PROGRAM", program).run, root, options.until.split(","))
    standing = floors(root / "experiments")
    by_room = collections.Counter(path.parts[0] for path in entered)
    print(f"files: {len(entered)}: " + ", ".join(f"{by_room[room]} {room}" for room in ROOMS))
    crossed = {standing[module_of(path, pathlib.Path())] for path in entered
               if path.parts[0] == "experiments"}  # fmt: skip
    print(f"floors of experiments/: {len(crossed)}, up to {max(crossed)} of {max(standing.values())}")
    print("\n".join(sorted(map(str, entered))))


def walked(run, root: pathlib.Path, until: list[str]) -> set[pathlib.Path]:
    """Paths below `root` of the rooms' files whose functions are entered."""
    codes = set()
    ended = threading.Event()

    def enter(frame, event, argument):
        code = frame.f_code
        if ended.is_set() or code in codes:
            return
        codes.add(code)
        if code.co_name in until and code.co_filename.startswith(str(root)):
            ended.set()

    threading.settrace(enter)
    sys.settrace(enter)
    with contextlib.suppress(SystemExit):
        run()
    sys.settrace(None)
    paths = {pathlib.Path(c.co_filename) for c in codes if c.co_flags & FUNCTION}
    inside = {path.relative_to(root) for path in paths if path.is_relative_to(root)}
    return {path for path in inside if path.parts[0] in ROOMS}


if __name__ == "__main__":
    main()
