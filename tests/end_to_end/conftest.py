"""One small run, trained and evaluated once, for all tests that look at what it left."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import small_run  # noqa: E402

from data_pipelines.phantom import make_phantom  # noqa: E402


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Prepared eyes and compiled code of all runs of the session, of all workers of pytest-xdist."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    """A folder of sixteen phantom eyes."""
    return make_phantom(tmp_path_factory.mktemp("data") / "phantom", eyes=16, seed=0)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, phantom, cache):
    """(workdir, finished process) of a run without --mode."""
    workdir = tmp_path_factory.mktemp("run") / "small"
    arguments = ("--train_steps=8", "--eval_every=4", "--save_every=4")
    done = small_run.run_alone(
        small_run.command(workdir, phantom / "manifest.csv", *arguments), cache, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return workdir, done
