"""Glaucoma diagnosis from fundus photographs and OCT volumes, in JAX.

Nothing is imported here: take what is needed from the rooms (`imo_jax.models`, `imo_jax.losses`,
`imo_jax.metrics`, `imo_jax.diffusion`, `imo_jax.weights`, `imo_jax.train`).
"""

__version__ = "0.1.0"
