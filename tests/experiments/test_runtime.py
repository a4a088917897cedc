"""What every program sets before anything else."""

import subprocess
import sys

import pytest

from experiments import runtime


@pytest.mark.parametrize(
    ("terminal", "environment", "bold"),
    [(True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False),
     (True, {"TERM": "dumb"}, False)],
)  # fmt: skip
def test_colour_is_for_terminals_that_have_it(monkeypatch, terminal, environment, bold):
    monkeypatch.setattr(runtime.sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = "warning: line 2: a.npy: dark\nerror: b.npy: gone; terror: no mark"
    said = runtime.coloured(text)
    assert (said != text) == bold
    if bold:
        assert said.count("\x1b[1;33mwarning:\x1b[0m") == said.count("\x1b[1;31merror:\x1b[0m") == 1


THREAD = """
import errno
import sys
import threading

from experiments import runtime

runtime.set_up()

def fail():
    raise OSError(errno.ENOSPC, "No space left on device") if sys.argv[1] == "full" else KeyError(1)

thread = threading.Thread(target=fail)
thread.start()
thread.join()
"""


def test_a_full_disk_is_not_told_by_the_threads_that_write_beside(tmp_path):
    environment = {"JAX_PLATFORMS": "cpu", "IMO_JAX_CACHE": str(tmp_path)}

    def said(how):
        command = [sys.executable, "-c", THREAD, how]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        return done.stderr

    assert said("full") == ""
    assert "KeyError: 1" in said("other")


CODE = """
import sys

from experiments import runtime

if sys.argv[1] == "set up":
    runtime.set_up()
import jax
import jax.numpy as jnp

x = jnp.eye(512)
step = jax.jit(lambda x: jax.lax.fori_loop(0, 50, lambda _, y: y @ x, x))
step(x).block_until_ready()
print(step(x).is_ready())
"""


def test_a_step_on_the_cpu_is_over_when_it_returns(tmp_path):
    """So that the next finds its memory free."""

    def ready(how):
        environment = {"JAX_PLATFORMS": "cpu", "IMO_JAX_CACHE": str(tmp_path)}
        command = [sys.executable, "-c", CODE, how]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        return done.stdout.strip()

    assert ready("set up") == "True"
    assert ready("as it comes") == "False"


COMPILED = """
import collections

from experiments import runtime

runtime.set_up()
import jax
import jax.numpy as jnp

events = collections.Counter()
jax.monitoring.register_event_listener(lambda event, **about: events.update([event]))
x = jnp.arange(3.0)
jax.jit(lambda x: 2 * x)(x).block_until_ready()
print(events["/jax/compilation_cache/cache_misses"], events["/jax/compilation_cache/cache_hits"])
"""


def test_a_second_run_compiles_nothing_not_even_what_is_small(tmp_path):
    environment = {"JAX_PLATFORMS": "cpu", "IMO_JAX_CACHE": str(tmp_path)}

    def misses_and_hits():
        command = [sys.executable, "-c", COMPILED]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        return tuple(map(int, done.stdout.split()))

    misses, hits = misses_and_hits()
    assert misses > 0 and hits == 0
    assert misses_and_hits() == (0, misses)
