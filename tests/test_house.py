"""The rooms of the house: who may import whom, and where pmap may be said."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from floors import floors, imported_names  # noqa: E402

FORBIDDEN = {
    "data_pipelines": {"jax", "jaxlib", "flax", "optax", "orbax", "imo_jax", "experiments"},
    "imo_jax": {
        "tensorflow", "tensorflow_datasets", "absl.flags", "absl.app", "data_pipelines",
        "experiments", "benchmarks",
    },
    "benchmarks": {"tensorflow", "tensorflow_datasets", "data_pipelines", "experiments"},
}  # fmt: skip
# The one room of imo_jax that reads eyes from files, by the readers that need numpy alone.
READING_ROOM = "imo_jax/predictor"
FORBIDDEN_THERE = FORBIDDEN["imo_jax"] - {"data_pipelines"} | {
    "data_pipelines.builders", "data_pipelines.phantom",
    "data_pipelines.load.tf_data", "data_pipelines.load.tfds_records",
    "data_pipelines.load.tfds_store",
}  # fmt: skip
# Only these may touch TensorFlow; the rest of data_pipelines works where it is not installed.
TENSORFLOW_ROOMS = ("data_pipelines/builders", "data_pipelines/load")


def python_files(room: str) -> list[pathlib.Path]:
    return sorted((ROOT / room).rglob("*.py"))


def violations(path: pathlib.Path, forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for name in sorted(imported_names(path))
        if any(name == bad or name.startswith(bad + ".") for bad in forbidden)
    ]


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_room_imports_only_what_it_may(room):
    found = [line for path in python_files(room) for line in violations(path, forbidden(path))]
    assert not found, "\n".join(found)


def forbidden(path: pathlib.Path) -> set[str]:
    relative = str(path.relative_to(ROOT))
    return FORBIDDEN_THERE if relative.startswith(READING_ROOM) else FORBIDDEN[room_of(relative)]


def room_of(relative: str) -> str:
    return relative.partition("/")[0]


FLOORS = 7  # of experiments/: the longest chain of imports in it


def test_experiments_has_so_many_floors():
    found = floors(ROOT / "experiments")
    highest = {module for module, floor in found.items() if floor == max(found.values())}
    assert max(found.values()) == FLOORS, f"{sorted(highest)} stand on floor {max(found.values())}"


def test_floors_are_counted_along_the_longest_chain(tmp_path):
    room = tmp_path / "room"
    (room / "inner").mkdir(parents=True)
    for name, text in {
        "__init__.py": "", "a.py": "import os", "b.py": "from room.a import x",
        "inner/__init__.py": "", "inner/c.py": "def f():\n    from room import b, a",
        "d.py": "import room.inner.c",
    }.items():  # fmt: skip
        (room / name).write_text(text)
    assert floors(room) == {
        "room": 1, "room.a": 1, "room.b": 2, "room.inner": 1, "room.inner.c": 3, "room.d": 4,
    }  # fmt: skip


def test_the_library_is_light_until_a_predictor_is_asked_for():
    code = (
        "import sys, imo_jax; assert 'load' in dir(imo_jax); "
        "assert not {'jax', 'numpy', 'data_pipelines'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_predictor_needs_no_tensorflow_and_no_flags():
    code = """
import sys
for name in ("tensorflow", "tensorflow_datasets", "experiments"):
    sys.modules[name] = None
import imo_jax
assert callable(imo_jax.load)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_programs_start_without_what_is_needed_later_or_never():
    # Before the first step nothing is drawn and no temperature fitted; a check needs no TensorFlow.
    code = """
import sys
import experiments.grader, experiments.imo, experiments.segmenter, experiments.semt
late = {"matplotlib", "scipy.optimize", "scipy.stats", "tensorflow", "tensorflow_datasets"}
assert not late & set(sys.modules), late & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_walk_sees_a_forbidden_import(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from absl import flags\n    import tensorflow.io as t\n")
    assert imported_names(bad) == {"absl.flags", "tensorflow.io"}


def test_tensorflow_stays_in_its_rooms():
    found = [
        line
        for path in python_files("data_pipelines")
        if not str(path.relative_to(ROOT)).startswith(TENSORFLOW_ROOMS)
        for line in violations(path, {"tensorflow", "tensorflow_datasets"})
    ]
    assert not found, "\n".join(found)


def test_pmap_is_said_in_one_file_only():
    files = [path for room in ("imo_jax", "experiments") for path in python_files(room)]
    saying = {
        str(path.relative_to(ROOT))
        for path in files
        if any(
            isinstance(node, ast.Attribute) and node.attr == "pmap"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert saying == {"imo_jax/train/parallel.py"}


def test_switches_of_programs_and_benchmarks_are_said_in_one_file_only():
    files = [path for room in (*FORBIDDEN, "experiments") for path in python_files(room)]
    for switch in ("jax_cpu_enable_async_dispatch", "jax_compilation_cache_dir"):
        saying = [str(path.relative_to(ROOT)) for path in files if switch in path.read_text()]
        assert saying == ["imo_jax/switches.py"]


def test_every_package_folder_ships_in_the_wheel():
    for room in ("imo_jax", "data_pipelines", "experiments", "benchmarks"):
        for path in python_files(room):
            assert (path.parent / "__init__.py").exists(), f"{path.parent} has no __init__.py"


def test_no_file_is_named_for_nothing():
    names = {path.name for room in (*FORBIDDEN, "experiments") for path in python_files(room)}
    assert not names & {"utils.py", "helpers.py", "misc.py", "common.py"}


def test_the_quick_tests_touch_every_room(quick):
    tests = ROOT / "tests"
    files = [file.relative_to(tests).as_posix() for file in tests.rglob("test_*.py")]
    assert [path for path in quick if not any(file.startswith(path) for file in files)] == []
    touched = {file.rpartition("/")[0] for file in files if file.startswith(quick)}
    rooms = {f"imo_jax/{room}" for room in ("metrics", "train", "weights", "predictor", "layers")}
    rooms |= {"data_pipelines", "data_pipelines/manifest", "data_pipelines/load", "benchmarks"}
    rooms |= {"experiments", "experiments/comparison", "experiments/screening"}
    assert rooms <= touched
