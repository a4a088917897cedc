"""What is printed while training."""

import io

import pytest

from imo_jax.train import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(6.6, "7 s"), (200, "3 min 20 s"), (3900, "1 h 05 min"), (59.7, "1 min 00 s")],
)
def test_duration(seconds, text):
    assert progress.duration(seconds) == text


def test_without_a_terminal_lines_are_few():
    stream = io.StringIO()
    bar = progress.Progress(0, 1000, stream)
    for step in range(1, 1001):
        bar.step()
        bar.report(step, 0.5, 12.0, 1000 - step)
    bar.line("the end")
    bar.close()
    lines = stream.getvalue().splitlines()
    assert lines == [
        "step 1/1000: loss 0.5000, 12.0 images/s, 16 min 39 s left",
        "step 1000/1000: loss 0.5000, 12.0 images/s, 0 s left",
        "the end",
    ]


def test_a_line_each_interval(monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    stream = io.StringIO()
    bar = progress.Progress(0, 1000, stream)
    for step in range(1, 4):
        bar.report(step, 0.5, 12.0, 1.0)
    assert len(stream.getvalue().splitlines()) == 3


def test_on_a_terminal_there_is_one_bar():
    stream = Terminal()
    bar = progress.Progress(3, 10, stream)
    bar.step()
    bar.report(4, 0.25, 8.0, 61.0)
    bar.line("validated")
    bar.close()
    text = stream.getvalue()
    assert "4/10" in text and "loss 0.2500, 8.0 images/s, 1 min 01 s left" in text
    assert "validated\n" in text
