"""The programs in two processes with one CPU device each, against one process with two devices.

`pytest -m slow tests/end_to_end/test_multi_host.py -s` prints the largest difference.
"""

import subprocess

import kill_and_resume
import numpy as np
import pytest
import small_run

from benchmarks.devices import places
from data_pipelines.phantom import make_phantom

STEPS = 4
MORE = (
    "--mode=train", f"--train_steps={STEPS}", "--eval_every=2", "--save_every=0",
    "--accumulation=2", "--weight_decay=0.1",
)  # fmt: skip


def run_together(commands, cache, devices=1):
    """Runs commands at the same time to their ends; exit codes and what they printed."""
    environment = small_run.environment(cache, devices)
    started = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for command in commands
    ]
    try:
        outputs = [process.communicate(timeout=900)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    return [process.returncode for process in started], outputs


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in kill_and_resume.PROGRAMS if name != "tables"])
def test_two_hosts_train_as_one_with_two_devices(name, tmp_path):
    program = kill_and_resume.PROGRAMS[name]
    manifest = make_phantom(tmp_path / "phantom", **program.phantom) / program.manifest
    cache = tmp_path / "cache"
    one = tmp_path / "one"
    codes, outputs = run_together([program.command(one, manifest, *MORE)], cache, devices=2)
    assert codes == [0], outputs
    assert "2 devices a step" in outputs[0]

    folders = [tmp_path / "host0", tmp_path / "host1"]
    commands = [
        program.command(folder, manifest, *MORE, *place)
        for folder, place in zip(folders, places(2), strict=True)
    ]
    codes, outputs = run_together(commands, cache)
    assert codes == [0, 0], outputs
    assert "2 processes with 1 CPU device" in outputs[0] and "step 1" not in outputs[1]
    assert not folders[1].exists()
    for stage, steps in program.stages.items():
        # The locator has a length of its own; MORE shortens the others.
        last = {stage: STEPS if steps == kill_and_resume.STEPS else steps}
        first, second = (
            kill_and_resume.last_arrays(folder, last) for folder in (one, folders[0])
        )
        assert first.keys() == second.keys()
        largest = max(
            float(np.max(np.abs(np.float64(first[key]) - second[key]), initial=0)) for key in first
        )
        print(f"{name} {stage or 'run'}: largest difference {largest:.2e} of {len(first)} arrays")
        assert largest <= 1e-6


@pytest.mark.slow
def test_a_fault_of_one_host_ends_both(tmp_path):
    program = kill_and_resume.PROGRAMS["imo"]
    manifest = make_phantom(tmp_path / "phantom", **program.phantom) / program.manifest
    other = tmp_path / "other.csv"  # in a folder without the images
    other.write_text(manifest.read_text())
    for given, said in (
        ((manifest, other), ("process 1: error: ", "process 1 could not go on")),
        ((other, manifest), ("process 0: error: ", "process 0 could not go on")),
    ):
        commands = [
            program.command(tmp_path / "run", path, *MORE, *place)
            for path, place in zip(given, places(2), strict=True)
        ]
        codes, outputs = run_together(commands, tmp_path / "cache")
        assert codes == [2, 2], outputs
        for words in said:
            assert any(words in output for output in outputs), outputs
    assert not (tmp_path / "run").exists()


def test_flags_that_make_no_training_are_refused(cache, tmp_path):
    done = small_run.run(
        small_run.command(tmp_path / "run", tmp_path / "manifest.csv", "--mode=eval", *places(2)[0]),
        cache,
    )
    assert done.returncode == 2
    assert "--mode=eval is done by one process" in done.stderr
