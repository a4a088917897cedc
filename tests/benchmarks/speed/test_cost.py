"""Cost against size: which lines make a curve, and how it grows."""

import json

import pytest
from PIL import Image

from benchmarks.speed import cost


def line(size, samples=1, steps=1, seconds=1.0, impl="jax"):
    return {
        "what": "sample", "impl": impl, "size": size, "samples": samples, "steps": steps,
        "median_s": seconds, "peak_bytes": int(1e6 * size),
    }  # fmt: skip


LINES = [
    line(128, seconds=9.0), line(256, seconds=4.0), line(512, seconds=16.0),
    line(128, samples=4, seconds=2.0), line(256, impl="torch", seconds=5.0),
    line(128, seconds=1.0),
]  # fmt: skip


def test_curves_hold_the_rest_at_its_least():
    found = cost.curves(LINES, "pixels", "seconds")
    # The first line is replaced by the last, which measures the same anew.
    assert found["jax"] == [(128**2, 1.0), (256**2, 4.0), (512**2, 16.0)]
    assert found["torch"] == [(256**2, 5.0)]
    assert cost.curves(LINES, "samples", "seconds")["jax"] == [(1, 1.0), (4, 2.0)]


def test_growth_of_known_curves():
    found = cost.curves(LINES, "pixels", "seconds")["jax"]
    assert cost.growth(found) == pytest.approx([1.0, 1.0])
    assert cost.growth(cost.curves(LINES, "pixels", "peak GB")["jax"]) == pytest.approx([0.5, 0.5])
    assert cost.growth([(1, 1.0), (4, 2.0)]) == pytest.approx([0.5])


def test_a_file_becomes_a_picture(tmp_path, capsys):
    file, out = tmp_path / "speed.jsonl", tmp_path / "cost.png"
    file.write_text("".join(json.dumps(row) + "\n" for row in LINES))
    cost.main([str(file), f"--out={out}"])
    with Image.open(out) as image:
        assert image.width > image.height
    assert "seconds of jax grows with pixels to the power 1.00, 1.00" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cost.main([str(file), "--what=train"])
