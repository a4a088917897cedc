"""The models by name: a factory takes the model's config and returns the Flax module."""

from imo_jax.models.imo.model import IMO

MODELS = {"imo": IMO}
