"""What a program takes until it says something, of programs that say it at once."""

import os
import sys

import pytest

from data_pipelines.builders.large_set import CASES, compare
from data_pipelines.builders.program_start import peak_bytes, processor_seconds, until_said

# As a program says it, and then trains for ever.
PROGRAM = """
import os, pathlib, sys, time
flags = dict(flag.lstrip("-").split("=", 1) for flag in sys.argv[1:])
rows = pathlib.Path(flags["manifest"]).read_text().splitlines()[1:]
cache = pathlib.Path(os.environ["IMO_JAX_CACHE"])
cache.mkdir(exist_ok=True)
seen = cache / "seen"
new = set(rows) - set(seen.read_text().splitlines() if seen.exists() else [])
seen.write_text("\\n".join(rows))
print("OCT volumes by their numbers:", len(rows), file=sys.stderr, flush=True)
print("data: new", len(new), flush=True)
end = time.process_time() + (0.3 if new else 0)
while time.process_time() < end: pass
print("step 1: loss 0", flush=True)
time.sleep(600)
"""


def test_each_case_starts_the_program(tmp_path, monkeypatch, capsys):
    (tmp_path / "told.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.getcwd()]))
    found = compare("eyes", tmp_path / "set", 5, (9, 32, 32), 32, program="told --train_steps=1")
    assert list(found) == list(CASES)
    for case, figures in found.items():
        worked = figures["step_s"] - figures["prepared_s"]
        assert worked < 0.2 if case == "again" else worked > 0.2, case
        assert figures["checked_s"] <= figures["prepared_s"] and figures["peak_gb"] > 0.001
    assert capsys.readouterr().out.count("wall_s") == len(CASES)


def test_a_program_that_ends_before_is_told():
    command = [sys.executable, "-c", "print('one'); print('no manifest')"]
    with pytest.raises(RuntimeError, match=r"did not say .*two[\s\S]*no manifest"):
        until_said(command, {"first": "one", "second": "two"}, {})


def test_of_this_process():
    assert 0 < processor_seconds(os.getpid()) < 1e6
    assert 10_000_000 < peak_bytes("self") < 1e12
