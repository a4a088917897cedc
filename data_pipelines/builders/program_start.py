"""What a program takes until it says something: processor seconds of all its threads, memory."""

import os
import pathlib
import subprocess
import time
from collections.abc import Mapping, Sequence


def until_said(
    command: Sequence[str], marks: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, float]:
    """Starts a command and ends it once it has said all of some lines. On Linux.

    Args:
      command: that is started; what it says on stdout and stderr is looked at.
      marks: name -> how its line begins, in the order in which they are said.
      environment: variables beside those of this process.

    Returns:
      NAME_s, the processor seconds until then, of each name; wall_s until the last; peak_gb, the highest
      resident size.

    Raises:
      RuntimeError: it ended without saying all of them; with the last that it said.
    """
    begun, left, said, found = time.monotonic(), dict(marks), [], {}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | dict(environment),
    )
    with process:
        for line in process.stdout:
            said = [*said[-20:], line]
            for name in [name for name, start in left.items() if line.startswith(start)]:
                del left[name]
                found[f"{name}_s"] = processor_seconds(process.pid)
            if not left:
                found["wall_s"] = time.monotonic() - begun
                found["peak_gb"] = peak_bytes(process.pid) / 1e9
                process.kill()
                return found
    raise RuntimeError(f"{' '.join(command)} did not say {list(left.values())}:\n{''.join(said)}")


def processor_seconds(pid: int) -> float:
    """User and system time of a process, of all its threads, those that ended too."""
    # The name of the program, in brackets, may hold spaces.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = map(int, fields[11:13])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int | str) -> int:
    """Highest resident size of a process ("self": this one), libraries included."""
    # Not getrusage: what it gives counts the process that this one was forked from.
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])
