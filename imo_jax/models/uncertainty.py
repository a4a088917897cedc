"""What samples of a segmentation agree on, and how far they differ."""

import jax
import jax.numpy as jnp


def uncertainty(sample_probabilities: jax.Array) -> dict[str, jax.Array]:
    """Mean and spread of the class probabilities of K samples; K may be 1.

    Args:
      sample_probabilities: (B, K, h, w, C) float32.

    Returns:
      float32: probabilities (B, h, w, C), the mean over samples; sample_probabilities as given;
      entropy (B, h, w) of the mean, in nats; mutual_information (B, h, w): entropy minus the mean
      entropy of the samples, in nats, 0 of a single one.
    """
    mean = jnp.mean(sample_probabilities, axis=1)
    entropy = _entropy(mean)
    expected = jnp.mean(_entropy(sample_probabilities), axis=1)
    return {
        "probabilities": mean,
        "sample_probabilities": sample_probabilities,
        "entropy": entropy,
        # Never negative but for rounding.
        "mutual_information": jnp.maximum(entropy - expected, 0.0),
    }


def _entropy(probabilities: jax.Array) -> jax.Array:
    """Entropy in nats over the last axis; 0 log 0 = 0."""
    return jnp.sum(jax.scipy.special.entr(probabilities), axis=-1)
