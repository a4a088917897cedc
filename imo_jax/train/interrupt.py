"""SIGTERM and SIGINT as a request: the loop saves at the current step and ends."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from imo_jax.train import parallel, processes

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """Raised by `Interrupt.check` in work that is not worth finishing, such as a validation."""


class Interrupt:
    """Context in which the first signal is noted, and a second one acts as it would have without.

    Of several processes any may get the signal, and all must end after the same step: they know of
    it after `after_step` or `meet`, which all call at the same places.

    Args:
      num_devices: devices of this process.
    """

    def __init__(self, num_devices: int = 1) -> None:
        self._came: int | None = None  # to this process
        self._known: int | None = None  # to all processes
        self._largest = parallel.Largest(num_devices) if processes.count() > 1 else None
        self._previous: dict[int, object] = {}

    @property
    def signal(self) -> int | None:
        """Number of the signal that came and is known to all processes; None so far.

        The exit code of an interrupted run is 128 + this number, as shells have it: 143 for
        SIGTERM, 130 for SIGINT.
        """
        return self._came if self._largest is None else self._known

    def after_step(self) -> None:
        """Tells the other processes; they know two steps later. Nothing waits."""
        if self._largest is not None:
            self._know(self._largest.after_step(self._came or 0))

    def meet(self) -> None:
        """Waits for the other processes; then all know."""
        if self._largest is not None:
            self._know(max(map(int, processes.exchange(str(self._came or 0)))))

    def _know(self, number: int) -> None:
        self._known = self._known or number or None

    def __enter__(self) -> Self:
        # Python gives signals to the main thread only; elsewhere there is nothing to catch.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    @property
    def exit_code(self) -> int:
        """What the process is to end with: 0, or 128 + signal."""
        return 0 if self.signal is None else 128 + self.signal

    def check(self) -> None:
        """Raises `Interrupted` once a signal has come to this process."""
        if self._came is not None:
            raise Interrupted(signal.Signals(self._came).name)
