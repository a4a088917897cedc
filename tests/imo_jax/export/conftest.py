"""Exported runs: one of each kind, and one in two stages."""

import functools
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

import imo_jax
from imo_jax.export.bundle import bundle_of

RUNS = pathlib.Path(__file__).resolve().parents[2] / "run_folders"
EYE, VOLUME = RUNS / "eye.jpg", RUNS / "eye.npy"

# What the card says is to be installed, and what these need themselves.
NEEDED = {
    "stablehlo": ("jax", "jaxlib", "ml_dtypes", "opt_einsum", "flatbuffers"),
    "onnx": ("onnxruntime", "flatbuffers", "google"),
}
ALWAYS = ("numpy", "scipy", "PIL")
LIBRARIES = {"PIL": "pillow"}  # whose folder is named otherwise
# With -I and -S there are the standard library, this folder of packages and the example's own.
ALONE = """
import runpy, sys
packages, program = sys.argv[1:3]
del sys.argv[1:3]
sys.path += [packages, program.rpartition("/")[0]]
runpy.run_path(program, run_name="__main__")
"""


@pytest.fixture(autouse=True)
def compiles_quickly():
    """Nothing: networks are exported as they are."""


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory):
    """A folder of compiled code for tests and examples: their runs hold the same few networks."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield {name.upper(): str(value) for name, value in settings.items()}
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="session")
def two_stages(tmp_path_factory):
    """A run in two stages: the small IMO run, and itself as its locator."""
    folder = tmp_path_factory.mktemp("two") / "two_stages"
    shutil.copytree(RUNS / "imo", folder)
    shutil.copytree(RUNS / "imo", folder / "locator")
    config = json.loads((folder / "config.json").read_text())
    config["squares"] = {"region": "disc", "square_diameters": 2.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def same_side(two_stages):
    """The run in two stages as one in which both networks are shown left eyes as right ones."""
    folder = two_stages.with_name("same_side")
    shutil.copytree(two_stages, folder)
    for file in (folder / "config.json", folder / "locator" / "config.json"):
        config = json.loads(file.read_text())
        config["augment"] |= {"left_as_right": True, "flip": False}
        file.write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def predictor(two_stages, same_side):
    """name -> the predictor of a small run."""
    made = {"two_stages": two_stages, "same_side": same_side}

    @functools.cache
    def load(name):
        return imo_jax.load(made.get(name, RUNS / name))

    return load


@pytest.fixture(scope="session")
def exported(predictor, tmp_path_factory):
    """(name, format) -> folder of an exported run."""

    @functools.cache
    def export(name, format):
        folder = tmp_path_factory.mktemp("exported") / f"{name}_{format}"
        folder.mkdir()
        for file, content in bundle_of(predictor(name), format).items():
            (folder / file).write_bytes(content)
        return folder

    return export


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """format -> folder with the packages that its files need, and no others."""

    @functools.cache
    def make(format):
        folder = tmp_path_factory.mktemp(f"packages_{format}")
        for name in (*ALWAYS, *NEEDED[format]):
            (place,) = importlib.util.find_spec(name).submodule_search_locations
            (folder / name).symlink_to(place)
            for libraries in pathlib.Path(place).parent.glob(f"{LIBRARIES.get(name, name)}.libs"):
                (folder / libraries.name).symlink_to(libraries)
        return folder

    return make


@pytest.fixture(scope="session")
def run_example(packages, compiled):
    """(folder, format, files, where) -> what example.py prints, run in the folder `where`."""

    def run(folder, format, files, where):
        done = subprocess.run(
            [
                sys.executable, "-I", "-S", "-c", ALONE, str(packages(format)),
                str(folder / "example.py"), *map(str, files),
            ],
            cwd=where, env=os.environ | compiled, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
