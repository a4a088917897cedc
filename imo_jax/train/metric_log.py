"""Metrics of the steps since the last look, left on the device until they are asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import jax

from imo_jax.train import parallel

# A step with finite values of these has left finite parameters behind.
WATCHED = ("loss", "gradient_norm", "param_norm")


class NonFiniteLoss(RuntimeError):
    """A loss, gradient or parameter stopped being a finite number.

    Attributes:
      step: number of the first such step (the first step of a run is 1).
      ids: the examples in its batch.
    """

    def __init__(self, step: int, ids: list[str], values: dict[str, float], checkpoint: str):
        self.step, self.ids = step, ids
        broken = ", ".join(f"{name} = {value}" for name, value in values.items())
        super().__init__(
            f"step {step}: {broken}. Batch: {', '.join(ids)}. Last good checkpoint: {checkpoint}. "
            "Try a lower learning rate, gradient clipping or float32, and look at these examples."
        )


@dataclass
class MetricLog:
    """Collects device metrics without waiting for them.

    Attributes:
      images: number of examples in the steps of the current window.
    """

    images: int = 0
    _pending: list[tuple[int, list[str], dict[str, jax.Array]]] = field(default_factory=list)
    _window: list[dict[str, float]] = field(default_factory=list)

    def add(self, step: int, ids: list[str], metrics: dict[str, jax.Array]) -> None:
        """Takes the metrics of a step just dispatched; waits until few are under way.

        How few is `parallel.IN_FLIGHT`.
        """
        self._pending.append((step, ids, metrics))
        self.images += len(ids)
        if len(self._pending) > parallel.IN_FLIGHT:
            jax.block_until_ready(self._pending[-1 - parallel.IN_FLIGHT][2]["loss"])

    def check(self, last_checkpoint: Callable[[], str]) -> None:
        """Waits for all steps and raises NonFiniteLoss for the first that went wrong.

        Args:
          last_checkpoint: tells where the last good checkpoint is, for the message.
        """
        fetched = parallel.fetch([metrics for _, _, metrics in self._pending])
        for (step, ids, _), values in zip(self._pending, fetched, strict=True):
            broken = {name: values[name] for name in WATCHED if not math.isfinite(values[name])}
            if broken:
                raise NonFiniteLoss(step, ids, broken, last_checkpoint())
        self._pending = []
        self._window += fetched

    def take(self) -> dict[str, float]:
        """Means over the checked steps since the last call, and forgets them; {} if none."""
        window, self._window, self.images = self._window, [], 0
        names = window[0] if window else {}
        return {name: sum(values[name] for values in window) / len(window) for name in names}
