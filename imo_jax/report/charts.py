"""Charts as SVG text, in the colours of the page that they stand on (light, dark or printed)."""

import dataclasses
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 380, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 44  # of the frame around what is drawn
COLOURS = 8  # of the page, s0 to s7
LINE, LETTER = 24, 7.2  # of a chart of intervals: height of a row, width of a letter of its name


@dataclasses.dataclass(frozen=True)
class Series:
    """One thing that is drawn.

    Attributes:
      name: in the legend; "" = not there.
      x, y: its points; one that is not finite is left out.
      form: "line", "points", "curve" (a line with its points) or "bars" (thin, from `low` to `high`).
      labels: of points, shown by the pointer.
      low, high: of bars.
    """

    name: str
    x: npt.ArrayLike
    y: npt.ArrayLike
    form: str = "line"
    labels: Sequence[str] = ()
    low: npt.ArrayLike = ()
    high: npt.ArrayLike = ()


@dataclasses.dataclass(frozen=True)
class Axis:
    """A named axis from `low` to `high`."""

    name: str
    low: float
    high: float


UNIT = (0.0, 1.0)


def spanning(name: str, *values: npt.ArrayLike) -> Axis:
    """The axis that holds all values, with whole ticks at its ends."""
    found = np.concatenate([np.asarray(v, float).ravel() for v in values] or [np.zeros(0)])
    found = found[np.isfinite(found)]
    if not len(found):
        return Axis(name, *UNIT)
    low, high = found.min(), found.max()
    middle, room = (low + high) / 2, max(0.005, 0.005 * np.abs(found).max())
    # Values that are all but equal stand in the middle, not at the ends of a rounding error.
    ticks = _whole(5, min(low, middle - room), max(high, middle + room))
    return Axis(name, float(ticks[0]), float(ticks[-1]))


def chart(series: Sequence[Series], x: Axis, y: Axis, *, title: str, diagonal: bool = False) -> str:
    """An SVG with axes, what is drawn, and a legend where more than one thing has a name.

    Args:
      series: in drawing order; the n-th has the n-th colour of the page.
      x, y: the axes.
      title: for those who do not see it.
      diagonal: a thin line where both axes are equal.
    """
    parts = [_frame(x, y)]
    if diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        ends = _place(np.array([low, high]), np.array([low, high]), x, y)
        parts.append(f'<polyline class="diagonal" points="{_points(ends)}"/>')
    parts += [_drawn(one, n, x, y) for n, one in enumerate(series)]
    taken = [_place(np.asarray(s.x, float), np.asarray(s.y, float), x, y) for s in series]
    names = [(n, one.name) for n, one in enumerate(series) if one.name]
    parts.append(_legend(names, np.concatenate([np.zeros((0, 2)), *map(_filled, taken)])))
    return _svg("".join(parts), HEIGHT, title)


def interval_chart(
    rows: Sequence[tuple[str, Mapping[str, float] | None]], x: Axis, *, title: str
) -> str:
    """Values with their intervals below each other, each in a line with its name.

    Args:
      rows: name, and {"value", "low", "high"}; None leaves the line empty.
      x: the axis; where 0 lies within it, it is marked, as of differences.
      title: for those who do not see it.
    """
    left = 16 + LETTER * max(len(name) for name, _ in rows)
    bottom = TOP + LINE * len(rows)

    def across(value: float) -> float:
        return left + (value - x.low) / (x.high - x.low) * (WIDTH - RIGHT - left)

    parts = []
    for tick in _ticks(x, 4):
        kind = "zero" if x.low < 0 < x.high and abs(tick) < 1e-9 * (x.high - x.low) else "grid"
        parts.append(f'<line class="{kind}" x1="{across(tick):.1f}" x2="{across(tick):.1f}" '
                     f'y1="{TOP}" y2="{bottom}"/><text x="{across(tick):.1f}" y="{bottom + 16}" '
                     f'text-anchor="middle">{tick:.4g}</text>')  # fmt: skip
    for row, (name, value) in enumerate(rows):
        down = TOP + LINE * (row + 0.5)
        parts.append(f'<text class="name" x="{left - 8}" y="{down + 4}" '
                     f'text-anchor="end">{escape(name)}</text>')  # fmt: skip
        if value is not None:
            low, middle, high = (across(value[end]) for end in ("low", "value", "high"))
            said = f"{name}: {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
            parts.append(f'<polyline class="line s0" points="{low:.1f},{down} {high:.1f},{down}"/>'
                         f'<circle class="s0" cx="{middle:.1f}" cy="{down}" r="4.5"><title>'
                         f"{escape(said)}</title></circle>")  # fmt: skip
    parts.append(f'<text class="name" x="{(left + WIDTH - RIGHT) / 2:.1f}" '
                 f'y="{bottom + BOTTOM - 6}" text-anchor="middle">{escape(x.name)}</text>')  # fmt: skip
    return _svg("".join(parts), bottom + BOTTOM, title)


def _svg(inside: str, height: int, title: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{inside}</svg>'
    )


def _place(horizontal: np.ndarray, vertical: np.ndarray, x: Axis, y: Axis) -> np.ndarray:
    """(N, 2) places on the drawing; points that are not finite are left out."""
    across = (horizontal - x.low) / (x.high - x.low) * (WIDTH - LEFT - RIGHT) + LEFT
    down = HEIGHT - BOTTOM - (vertical - y.low) / (y.high - y.low) * (HEIGHT - TOP - BOTTOM)
    places = np.stack([across, down], axis=-1)
    return places[np.isfinite(places).all(axis=-1)]


def _points(places: np.ndarray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in places)


def _frame(x: Axis, y: Axis) -> str:
    parts = []
    for tick in _ticks(x):
        ((across, _),) = _place(np.array([tick]), np.array([y.low]), x, y)
        parts.append(f'<line class="grid" x1="{across:.1f}" x2="{across:.1f}" y1="{TOP}" '
                     f'y2="{HEIGHT - BOTTOM}"/><text x="{across:.1f}" y="{HEIGHT - BOTTOM + 16}" '
                     f'text-anchor="middle">{tick:.4g}</text>')  # fmt: skip
    for tick in _ticks(y):
        ((_, down),) = _place(np.array([x.low]), np.array([tick]), x, y)
        parts.append(f'<line class="grid" y1="{down:.1f}" y2="{down:.1f}" x1="{LEFT}" '
                     f'x2="{WIDTH - RIGHT}"/><text x="{LEFT - 6}" y="{down + 4:.1f}" '
                     f'text-anchor="end">{tick:.4g}</text>')  # fmt: skip
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text class="name" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{escape(x.name)}</text>'
        f'<text class="name" transform="translate(13 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(y.name)}</text>'
    )
    return "".join(parts)


def _whole(most: int, low: float, high: float) -> Sequence[float]:
    """At most so many steps between whole ticks around two values."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most).tick_values(low, high)


def _ticks(axis: Axis, most: int = 6) -> list[float]:
    values = _whole(most, axis.low, axis.high)
    slack = 1e-9 * (axis.high - axis.low)
    return [float(v) for v in values if axis.low - slack <= v <= axis.high + slack]


def _drawn(series: Series, number: int, x: Axis, y: Axis) -> str:
    colour = f"s{number % COLOURS}"
    across, down = np.asarray(series.x, float), np.asarray(series.y, float)
    line = f'<polyline class="line {colour}" points="{_points(_place(across, down, x, y))}"/>'
    if series.form == "line":
        return line
    if series.form == "bars":
        low, high = np.asarray(series.low, float), np.asarray(series.high, float)
        ends = zip(across, low, high, strict=True)
        lines = [_place(np.array([a, a]), np.array([low, high]), x, y) for a, low, high in ends]
        return "".join(f'<polyline class="bar {colour}" points="{_points(p)}"/>' for p in lines)
    labels = series.labels or [""] * len(across)
    dots = []
    for a, b, label in zip(across, down, labels, strict=True):
        for place in _place(np.array([a]), np.array([b]), x, y):
            said = f"<title>{escape(str(label))}</title>" if label else ""
            dots.append(f'<circle class="{colour}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" '
                        f'r="3.5">{said}</circle>')  # fmt: skip
    return "".join([line, *dots] if series.form == "curve" else dots)


def _filled(places: np.ndarray) -> np.ndarray:
    """(N, 2) corners of a line -> with points between them, so that all of it counts as taken."""
    if len(places) < 2:
        return places
    between = np.linspace(0, 1, 20)[:, None, None]
    return (places[:-1] + between * (places[1:] - places[:-1])).reshape(-1, 2)


def _legend(names: Sequence[tuple[int, str]], taken: np.ndarray) -> str:
    """The names with their colours, in the corner with the fewest of the places that are taken."""
    if len(names) < 2:
        return ""
    width, height = 26 + 7 * max(len(name) for _, name in names), 17 * len(names)
    corners = [
        (left, top)
        for top in (TOP + 8, HEIGHT - BOTTOM - 8 - height)
        for left in (LEFT + 10, WIDTH - RIGHT - 10 - width)
    ]

    def covered(corner: tuple[int, int]) -> int:
        low, high = np.subtract(corner, 12), np.add(corner, (width + 12, height + 12))
        return int(((taken >= low) & (taken <= high)).all(axis=-1).sum())

    left, top = min(corners, key=covered)
    lines = [
        f'<rect class="s{n % COLOURS} key" x="{left}" y="{top + 17 * row}" width="10" '
        f'height="10"/><text x="{left + 16}" y="{top + 9 + 17 * row}">{escape(name)}</text>'
        for row, (n, name) in enumerate(names)
    ]
    return f'<g class="legend">{"".join(lines)}</g>'
