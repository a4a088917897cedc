"""Cost against size: draws the lines of `python -m benchmarks.speed --json=FILE`, says what grows.

python -m benchmarks.speed.cost FILE --what=sample --out=cost.png

Time and peak memory against pixels, samples and sampling steps, each with the others at their least.
Growth is the exponent between neighbours, log of the ratio of costs over log of the ratio of sizes:
1 = in proportion. Of several lines for the same the last counts.
"""

import argparse
import itertools
import json
import math
import pathlib
from typing import Any

from PIL import Image

from imo_jax.visualisation.colours import SERIES
from imo_jax.visualisation.plots import new_figure, pixels

# What is varied -> its value from a row. The others are held at their least.
AXES = {
    "pixels": lambda row: row["size"] ** 2,
    "samples": lambda row: row["samples"],
    "steps": lambda row: row["steps"],
}
COSTS = {"seconds": lambda row: row["median_s"], "peak GB": lambda row: row["peak_bytes"] / 1e9}

Curve = list[tuple[float, float]]


def curves(rows: list[dict[str, Any]], axis: str, cost: str) -> dict[str, Curve]:
    """Implementation -> (value of `axis`, cost), ascending, of the rows that differ in it alone."""
    others = [name for name in AXES if name != axis]
    least = {name: min(AXES[name](row) for row in rows) for name in others}
    found: dict[str, dict[float, float]] = {}
    for row in rows:
        if all(AXES[name](row) == least[name] for name in others):
            found.setdefault(row["impl"], {})[AXES[axis](row)] = COSTS[cost](row)
    return {impl: sorted(points.items()) for impl, points in found.items()}


def growth(curve: Curve) -> list[float]:
    """Exponent between each two neighbours of a curve."""
    return [
        math.log(cost / cost_before) / math.log(value / value_before)
        for (value_before, cost_before), (value, cost) in itertools.pairwise(curve)
    ]


def draw(rows: list[dict[str, Any]], path: pathlib.Path) -> None:
    """A panel for each cost and each axis that has more than one value."""
    panels = [
        (axis, cost)
        for cost in COSTS
        for axis in AXES
        if len({AXES[axis](row) for row in rows}) > 1
    ]
    figure, axes = new_figure(3.6 * len(panels), 3.4, len(panels))
    for ax, (axis, cost) in zip(axes, panels, strict=True):
        for colour, (impl, curve) in zip(SERIES, curves(rows, axis, cost).items(), strict=False):
            ax.plot(*zip(*curve, strict=True), marker="o", label=impl, color=colour)
        if axis == "pixels":
            ax.set(xscale="log", yscale="log")
        ax.set(xlabel=axis, ylabel=cost)
        ax.legend(frameon=False)
    Image.fromarray(pixels(figure)).save(path)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=pathlib.Path, help="JSON lines")
    parser.add_argument("--what", default="sample", help="which lines")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("cost.png"))
    args = parser.parse_args(argv)
    lines = args.file.read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["what"] == args.what]
    if len(rows) < 2:
        parser.error(f"{args.file} has {len(rows)} lines of {args.what}; a curve needs two")
    for axis, cost in itertools.product(AXES, COSTS):
        for impl, curve in curves(rows, axis, cost).items():
            if len(curve) > 1:
                steps = ", ".join(f"{exponent:.2f}" for exponent in growth(curve))
                print(f"{cost} of {impl} grows with {axis} to the power {steps}")
    draw(rows, args.out)


if __name__ == "__main__":
    main()
