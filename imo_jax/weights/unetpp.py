"""UNet++ under MONAI's names (BasicUNetPlusPlus without convolution biases)."""

from collections.abc import Mapping

import numpy as np

from imo_jax.weights.tables import Naming, load_by_table, state_by_table

ROWS = 5  # MONAI's network always has


def _node(row: int, column: int) -> str:
    """MONAI's name of the pair of convolutions that node X(row, column) is."""
    if column > 0:
        return f"upcat_{row}_{column}.convs"
    return f"conv_{row}_0" + (".convs" if row > 0 else "")


MONAI = Naming(
    stem="node0_0_0/conv",
    required=tuple(
        (f"node{row}_{column}_{{k}}/{here}", f"{_node(row, column)}.conv_{{k}}.{there}", kind)
        for row in range(ROWS)
        for column in range(ROWS - row)
        for here, there, kind in [("conv", "conv", "conv"), ("norm", "adn.N", "vector")]
    ),
    optional=(("head{j}", "final_conv_0_{j}", "pointwise"),),
    ignored=("final_conv_0_",),  # heads that the config leaves out
)


def load_unetpp(state: Mapping[str, np.ndarray], variables: Mapping) -> tuple[dict, str]:
    """Puts a MONAI UNet++ into an initialised one; as `tables.load_by_table`."""
    return load_by_table(state, variables, {"monai": MONAI}, "UNet++")


def unetpp_to_torch(variables: Mapping) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) under MONAI's names."""
    return state_by_table(variables, MONAI)
