"""Glaucoma diagnosis from fundus photographs and OCT volumes, in JAX.

`imo_jax.load(path)` gives a predictor of a trained run. Nothing is imported before it is asked for:
take what else is needed from the rooms (`imo_jax.models`, `imo_jax.losses`, `imo_jax.metrics`,
`imo_jax.diffusion`, `imo_jax.weights`, `imo_jax.train`).
"""

from typing import Any

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name == "load":
        from imo_jax.predictor import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "load"])
