"""Write a whole phantom: files, manifests and what it was made from."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

from data_pipelines.phantom import tables
from data_pipelines.phantom.eye import eyes_of
from data_pipelines.phantom.worker import write_eye

VERSION = 2  # of the generator: raised whenever the same arguments give other bytes
RECORD = "phantom.json"


def make_phantom(
    out: str | os.PathLike,
    eyes: int = 200,
    seed: int = 0,
    val_fraction: float = 0.1,
    test_fraction: float = 0.3,
    workers: int | None = None,
    visits: int = 1,
    volumes_per_visit: int = 1,
    hidden_fraction: float = 0.316,
    progress: Callable[[int, int], None] | None = None,
) -> pathlib.Path:
    """Make the phantom data set in the folder `out`, whole or not at all.

    Args:
      out: the folder to make. If it holds the phantom of the same arguments, nothing is done.
      eyes: number of eyes; the first ones are the same for any number.
      seed: of everything.
      val_fraction, test_fraction: of the patients.
      workers: processes; None is one per processor. The result does not depend on it.
      visits: visits of each eye, half a year apart.
      volumes_per_visit: OCT volumes of each visit.
      hidden_fraction: of the training visits whose visual field screening.csv withholds.
      progress: called with (eyes done, eyes) after each eye.

    Returns:
      The folder, with fundus/, masks/, oct/, manifest.csv, screening.csv, truth.csv, phantom.json.

    Raises:
      ValueError: an argument out of range.
      FileExistsError: `out` holds something else.
    """
    for name, value in (
        ("eyes", eyes),
        ("visits", visits),
        ("volumes_per_visit", volumes_per_visit),
    ):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if not 0 <= hidden_fraction < 1:
        raise ValueError(f"hidden_fraction must be at least 0 and below 1, not {hidden_fraction}")
    out = pathlib.Path(out)
    record = {
        "generator": "data_pipelines.phantom",
        "version": VERSION,
        "eyes": eyes,
        "seed": seed,
        "val_fraction": val_fraction,
        "test_fraction": test_fraction,
        "visits": visits,
        "volumes_per_visit": volumes_per_visit,
        "hidden_fraction": hidden_fraction,
    }
    if _is_made(out, record):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        with _unwound_by_sigterm():
            _write_tables(partial, record)
            _write_images(partial, record, workers or os.cpu_count() or 1, progress)
            partial.chmod(0o755)
            _put(partial, out, record)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return out


def is_phantom(manifest: str | os.PathLike) -> bool:
    """Whether `make_phantom` wrote a manifest."""
    return (pathlib.Path(manifest).parent / RECORD).exists()


def _is_made(out: pathlib.Path, record: dict) -> bool:
    """Whether `out` is this phantom already; raises if it is anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    path = out / RECORD
    if not path.is_file():
        raise FileExistsError(
            f"{out} exists and is no phantom (no {RECORD}): choose another folder"
        )
    found = json.loads(path.read_text(encoding="utf-8"))
    differences = [
        f"{key}: {found.get(key)} there, {record.get(key)} asked"
        for key in sorted({*found, *record})
        if found.get(key) != record.get(key)
    ]
    if differences:
        raise FileExistsError(
            f"{out} holds another phantom ({'; '.join(differences)}): "
            "choose another folder or delete it"
        )
    return True


@contextlib.contextmanager
def _unwound_by_sigterm() -> Iterator[None]:
    """Within it SIGTERM ends Python as an exception does, so that what is half made goes, not at once.

    A handler of the caller's own stays.
    """
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if ours:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _put(partial: pathlib.Path, out: pathlib.Path, record: dict) -> None:
    """Moves what is made to its place, unless a process that began as early was there first."""
    try:
        partial.rename(out)
    except OSError:
        if not _is_made(out, record):
            raise
        shutil.rmtree(partial)


def _write_tables(root: pathlib.Path, record: dict) -> None:
    eyes = eyes_of(record["seed"], record["eyes"])
    split = tables.split_eyes(eyes, record["seed"], record["val_fraction"], record["test_fraction"])
    hidden = tables.hidden_visits(
        eyes, split, record["seed"], record["visits"], record["hidden_fraction"]
    )
    tables.write_manifest(root, eyes, split)
    tables.write_screening(root, eyes, split, hidden, record["visits"], record["volumes_per_visit"])
    tables.write_truth(root, eyes)
    (root / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _write_images(
    root: pathlib.Path, record: dict, workers: int, progress: Callable[[int, int], None] | None
) -> None:
    for name in ("fundus", "masks", "oct"):
        (root / name).mkdir()
    total = record["eyes"]
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    shares = min(workers, total)
    if shares == 1:
        for eye in eyes_of(record["seed"], total):
            write_eye(root, eye, record["visits"], record["volumes_per_visit"])
            report()
        return
    with concurrent.futures.ThreadPoolExecutor(shares) as pool:
        running: list[subprocess.Popen] = []
        started = [
            pool.submit(_run_share, root, record, k, shares, report, running)
            for k in range(shares)
        ]
        try:
            for share in started:
                share.result()
        except BaseException:
            for process in running:
                process.terminate()
            raise


def _run_share(
    root: pathlib.Path,
    record: dict,
    share: int,
    shares: int,
    report: Callable[[], None],
    running: list[subprocess.Popen],
) -> None:
    """Render one share in a process of its own, added to `running`; raises with its error text if it fails."""
    command = [sys.executable, "-m", "data_pipelines.phantom.worker", f"--out={root}"]
    command += [f"--{k}={record[k]}" for k in ("eyes", "seed", "visits", "volumes_per_visit")]
    command += [f"--share={share}", f"--shares={shares}"]
    home = str(pathlib.Path(__file__).resolve().parents[2])
    path = os.pathsep.join(p for p in (home, os.environ.get("PYTHONPATH")) if p)
    # One thread a worker: the workers are the parallelism.
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        running.append(process)
        for _ in process.stdout:
            report()
        if process.wait() != 0:
            errors.seek(0)
            raise RuntimeError(f"a phantom worker failed:\n{errors.read()}")
