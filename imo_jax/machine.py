"""The machine: its processor, and the devices of JAX."""

import hashlib
import os
import pathlib
import platform
import re

CPU_INFO = pathlib.Path("/proc/cpuinfo")  # of Linux


def processor() -> str:
    """The processor as it calls itself, such as 'AMD EPYC'; else its architecture."""
    found = re.search(r"model name\s*:\s*(.+)", _cpu_info())
    return found[1].strip() if found else _architecture()


def fingerprint() -> str:
    """12 hex digits of this kind of processor: code compiled for one may not run on another."""
    told = {line for line in _cpu_info().splitlines() if line.startswith(("model name", "flags"))}
    features = _architecture() + "".join(sorted(told))
    return hashlib.sha256(features.encode()).hexdigest()[:12]


def _architecture() -> str:
    return platform.processor() or platform.machine()


def _cpu_info() -> str:
    try:
        return CPU_INFO.read_text(encoding="utf-8")
    except OSError:
        return ""


def describe_devices() -> str:
    """'2 x NVIDIA H100' or '1 CPU device (2 cores)', in each of several processes."""
    # JAX is imported here, so that a side of a comparison without it can say its processor.
    import jax

    from imo_jax.train import processes

    devices = jax.local_devices()
    if devices[0].platform == "cpu":
        number = f"{len(devices)} CPU device" + ("s" if len(devices) > 1 else "")
        text = f"{number} ({os.cpu_count()} cores)"
    else:
        text = f"{len(devices)} x {devices[0].device_kind}"
    count = processes.count()
    return f"{count} processes with {text} each" if count > 1 else text
