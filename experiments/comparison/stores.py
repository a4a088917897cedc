"""The eyes of the manifests and grids of a comparison, each checked and prepared once."""

from typing import Any

from data_pipelines.load.stores import Store
from data_pipelines.manifest import Manifest
from experiments.config import EyeRunConfig
from experiments.reading import checked_manifest, prepared_store, used_labels
from experiments.runtime import UserError


class Stores:
    """The eyes of each manifest and grid, checked and prepared once.

    Args:
      choosing: whether something is chosen on validation eyes, so that there must be some.
    """

    def __init__(self, choosing: bool = True) -> None:
        self._choosing = choosing
        self._manifests: dict[Any, Manifest] = {}
        self._stores: dict[Any, Store] = {}

    def of(self, config: EyeRunConfig) -> Store:
        """The eyes that a run sees; UserError lists what is wrong with them."""
        data = config.data
        checked = (data.manifest, data.data_root, used_labels(config))
        if checked not in self._manifests:
            self._manifests[checked] = checked_manifest(config, ("train", "eval"))
            if self._choosing and not self._manifests[checked].split("val"):
                raise UserError(
                    f"{data.manifest} has no eye in the split 'val', on which a table chooses "
                    "learning rates: give one with --rates=RATE, and the last checkpoints count"
                )
        grid = (*checked[:2], data.image_size, config.oct_shape, data.crop_to_field)
        if grid not in self._stores:
            self._stores[grid] = prepared_store(self._manifests[checked], config)
        return self._stores[grid]
