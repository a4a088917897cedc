"""Test-wide settings: two fake CPU devices, strict dtypes and ranks, quick compilation."""

import gc
import importlib.metadata
import os
import pathlib
import sys

# All are read once, when the libraries are first imported; so they are set before any import.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Most of the tests' time is compilation, of their child processes, too; none is about speed.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The older emitter of fused loops, in one piece: a third to a half of the time without optimisation.
# XLA ends the process over a flag that it does not know, and another version may not know these.
QUICK_TO_COMPILE = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
if not importlib.metadata.version("jaxlib").startswith("0.10."):
    QUICK_TO_COMPILE = ""
DEVICES = "--xla_force_host_platform_device_count"
given = os.environ.get("XLA_FLAGS", "")
if DEVICES not in given:
    os.environ["XLA_FLAGS"] = f"{QUICK_TO_COMPILE} {DEVICES}=2 {given}".strip()

# Tracing makes objects by the hundred thousand; Python walks through all of them again and again, a
# tenth of the tests' time, if it looks for garbage as often as it does by itself.
gc.set_threshold(50_000)

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reference",
        default=None,
        help="reference arrays (.npz) for tests/parity/test_imo_reference.py; default: the "
        "committed small file",
    )


# What `pytest -m quick` runs: files that compile little, from every room, a minute in all.
QUICK = (
    "test_house.py", "test_troubles.py",
    "data_pipelines/test_", "data_pipelines/manifest/test_table.py",
    "data_pipelines/manifest/test_likely_names.py", "data_pipelines/manifest/test_read_write.py",
    "data_pipelines/load/test_order.py", "imo_jax/augment/test_volume.py",
    "data_pipelines/phantom/test_latents.py",
    "imo_jax/metrics/", "imo_jax/settings/", "imo_jax/surrogate/", "imo_jax/test_atomic_files.py",
    "imo_jax/test_visual_field.py", "imo_jax/diffusion/test_schedule.py",
    "imo_jax/weights/test_files.py", "imo_jax/weights/test_naming.py",
    "imo_jax/predictor/test_calibration.py", "imo_jax/predictor/test_promises.py", "imo_jax/train/test_selection.py",
    "imo_jax/layers/test_resize.py", "imo_jax/export/test_source.py", "imo_jax/report/test_seed_means.py",
    "experiments/test_flag_fields.py", "experiments/test_calibration.py",
    "experiments/test_doubts.py", "experiments/comparison/test_settings.py",
    "experiments/screening/test_config.py", "imo_jax/report/test_comparison.py",
    "benchmarks/test_neighbours.py",
)  # fmt: skip


# Files of many seconds, the longest first: begun last, one of them would keep one worker busy long
# after the other has nothing left. (pytest.ini keeps xdist from sorting files by how many tests are in
# them: the longest have few.)
LONG = (
    "end_to_end/test_other_grades.py", "end_to_end/test_small_run.py",
    "end_to_end/test_small_tables.py", "end_to_end/", "imo_jax/export/", "imo_jax/augment/",
    "imo_jax/models/test_", "data_pipelines/builders/test_large_set.py",
    "imo_jax/train/test_imo_objective.py", "mutations/", "imo_jax/predictor/", "imo_jax/train/",
    "experiments/",
)  # fmt: skip


sys.path.insert(0, str(pathlib.Path(__file__).parent))
from browser_fixtures import browser, open_page, said_by_libraries  # noqa: E402, F401


@pytest.fixture
def quick() -> tuple[str, ...]:
    """How the paths of the quick tests begin."""
    return QUICK


def pytest_collection_finish() -> None:
    """The libraries are imported: nothing of theirs is garbage."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the quick tests, and puts files of LONG first."""
    tests = pathlib.Path(__file__).parent
    places = {path: path.relative_to(tests).as_posix() for path in {item.path for item in items}}
    for item in items:
        if places[item.path].startswith(QUICK):
            item.add_marker("quick")
    first = {
        path: next((i for i, start in enumerate(LONG) if place.startswith(start)), len(LONG))
        for path, place in places.items()
    }
    items.sort(key=lambda item: first[item.path])  # stable: otherwise as they were


@pytest.fixture(scope="session")
def write_dicom_photograph():
    """Writes a photograph as a DICOM file, see dicom_photograph.write_photograph."""
    from dicom_photograph import write_photograph

    return write_photograph


@pytest.fixture(autouse=True)
def sound_oracle(request: pytest.FixtureRequest):
    """Takes oneDNN from PyTorch where it is the oracle.

    Gradients of its convolutions with 8 channels, as small test networks have them, write beyond
    their memory on some CPUs (PyTorch 2.13): the process dies at once, or tests later.
    """
    if request.node.get_closest_marker("parity") is None:
        yield
        return
    torch = pytest.importorskip("torch")
    with torch.backends.mkldnn.flags(enabled=False):
        yield
