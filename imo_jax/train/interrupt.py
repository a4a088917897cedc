"""SIGTERM and SIGINT as a request: the loop saves at the current step and ends."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """Raised by `Interrupt.check` in work that is not worth finishing, such as a validation."""


class Interrupt:
    """Context in which the first signal is noted, and a second one acts as it would have without.

    Attributes:
      signal: number of the signal that came; None so far. The exit code of an interrupted run is
        128 + this number, as shells have it: 143 for SIGTERM, 130 for SIGINT.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, object] = {}

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
        self.signal = number
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
        """Raises `Interrupted` once a signal has come."""
        if self.signal is not None:
            raise Interrupted(signal.Signals(self.signal).name)
