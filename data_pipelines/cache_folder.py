"""Where everything is kept that may be made again."""

import os
import tempfile
from pathlib import Path

# What lies in the folder.
EYES = "eyes"  # prepared eyes, in packs
VOLUMES = "volumes"  # prepared volumes, in packs
COMPILED = "xla"  # compiled code, in a folder for each kind of processor
CHECKED = "checked.sqlite"  # what checks found in files


def cache_folder() -> Path:
    """Where prepared eyes and compiled code are kept: $IMO_JAX_CACHE or ~/.cache/imo_jax.

    A user without a home, as in some containers, has it in the folder of temporary files.
    """
    given = os.environ.get("IMO_JAX_CACHE")
    if given:
        return Path(given)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "imo_jax"
    try:
        return Path.home() / ".cache" / "imo_jax"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"imo_jax-{os.getuid()}"
