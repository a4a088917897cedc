"""Class activation maps (Zhou et al. 2016) of a whole volume, as seen from above.

The networks of `models.semt` return `cam`: the linear layer applied before the average over
positions instead of after it. It is signed, in units of the logit, positive where it speaks for
glaucoma; with one logit for two classes what speaks against it is as much worth seeing. It is
exact: mean(cam) + bias is the logit.
"""

from typing import TypeVar

Array = TypeVar("Array")  # numpy or jax, the same in and out


def en_face(cam: Array) -> Array:
    """Means over depth, one row a B-scan: (n, depth, width) -> (n, width), numpy or jax.

    Args:
      cam: maps of the B-scans of one volume, in order and of any floating dtype, or the map of a
        network that sees the whole volume.

    Returns:
      (n, width); its mean plus the bias is the mean of the B-scans' logits, or the volume's logit.
    """
    return cam.mean(axis=-2)
