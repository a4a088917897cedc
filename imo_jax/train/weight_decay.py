"""Which parameters decay: functions params -> tree of bool, True where weight decay applies."""

import re
from collections.abc import Callable
from typing import Any

import jax

# Leaf names that never decay, whatever their rank (a scanned block stacks its biases to 2-D).
UNDECAYED = ("bias", "scale", "shift", "layer_scale", "embedding", "label_embedding")

# The released IMO code exempts the parameters whose PyTorch name contains "norm". These are they
# under their names here: stem, downsampling, group and batch norms have other names there.
RELEASED_NORMS = re.compile(
    r"fundus_encoder/backbone/(stage\d+_block\d+/norm|norm\d+)/"
    r"|decoder/layer\d+/(attention|mlp)_norm/"
)


def _by_path(decays: Callable[[str, Any], bool], params: Any) -> Any:
    """Tree of decays("a/b/c", leaf)."""

    def leaf(path: tuple, value: Any) -> bool:
        return decays("/".join(str(part.key) for part in path), value)

    return jax.tree_util.tree_map_with_path(leaf, params)


def kernels_only(params: Any) -> Any:
    """Kernels decay; biases, norms, layer scales, embeddings and other vectors do not."""
    return _by_path(
        lambda path, x: x.ndim > 1 and path.split("/")[-1] not in UNDECAYED and "norm" not in path,
        params,
    )


def released(params: Any) -> Any:
    """As the released IMO code: everything decays but what it calls a norm."""
    return _by_path(lambda path, x: not RELEASED_NORMS.match(path), params)


DECAY_MASKS = {"kernels": kernels_only, "released": released}
