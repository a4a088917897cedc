"""What every program sets before anything else."""

import subprocess
import sys

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
