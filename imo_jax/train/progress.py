"""What a person sees of the training: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from typing import TextIO

from tqdm import tqdm

# Seconds between two lines where there is no terminal: a log file stays short.
LINE_SECONDS = 20.0


def duration(seconds: float) -> str:
    """Seconds as '1 h 05 min', '3 min 20 s' or '7 s'."""
    seconds = round(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    if seconds >= 60:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds} s"


class Progress:
    """Progress of a run over its steps.

    Args:
      done: steps done before this run began (a resumed run).
      steps: steps of the whole training.
      stream: where to write.
    """

    def __init__(self, done: int, steps: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._steps = steps
        self._last_line = -LINE_SECONDS
        self._bar = None
        if self._stream.isatty():
            self._bar = tqdm(
                initial=done,
                total=steps,
                file=self._stream,
                bar_format="train {n_fmt}/{total_fmt} |{bar:24}| {elapsed}{postfix}",
                dynamic_ncols=True,
            )

    def step(self) -> None:
        """One step was dispatched."""
        if self._bar is not None:
            self._bar.update()

    def report(self, step: int, loss: float, images_per_second: float, left: float) -> None:
        """Shows the latest figures; `left` in seconds.

        Where there is no terminal this is a line, unless the last one was moments ago.
        """
        text = f"loss {loss:.4f}, {images_per_second:.1f} images/s, {duration(left)} left"
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        elif time.monotonic() - self._last_line >= LINE_SECONDS or step == self._steps:
            self._last_line = time.monotonic()
            self.line(f"step {step}/{self._steps}: {text}")

    def line(self, text: str) -> None:
        """Writes a line, above the bar where there is one."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
