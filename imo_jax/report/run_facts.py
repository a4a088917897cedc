"""What was run: command, machine, versions and settings, as tables and text for a report."""

import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from imo_jax import __version__
from imo_jax.machine import describe_devices, processor
from imo_jax.report.page import Section, Table

PACKAGES = ("jax", "flax", "optax", "orbax-checkpoint", "numpy", "tensorflow-datasets")


def command() -> str:
    """The command line, as one would type it."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    if module is None:  # a console command or a script
        return shlex.join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]])
    return shlex.join(["python", "-m", module.name.removesuffix(".__main__"), *sys.argv[1:]])


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def made() -> str:
    """The last line of a report."""
    return f"Made by imo_jax {__version__} on {now()}. Research software, not a medical device."


def ended(seconds: float) -> str:
    """How long something took that ends now."""
    return f"{seconds:.0f} s, ended {now()}"


def run_section(settings: Mapping[str, Any], facts: Sequence[tuple[str, str]]) -> Section:
    """The section on what was run.

    Args:
      settings: what they are of -> dataclass of settings.
      facts: name and value of what only the program knows.
    """
    rows = [("command", command()), *facts, ("hardware", hardware()), ("versions", versions())]
    notes = {
        name: json.dumps(dataclasses.asdict(config), indent=2) for name, config in settings.items()
    }
    return Section("run", "What was run", table=Table((), rows, "words"), notes=notes)


def hardware() -> str:
    """Processor, cores and the devices of JAX."""
    return f"{processor()}, {os.cpu_count()} cores; JAX on {describe_devices()}"


def versions() -> str:
    found = [f"imo_jax {__version__}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
