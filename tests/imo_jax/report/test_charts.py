import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from imo_jax.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Series,
    chart,
    interval_chart,
    spanning,
)

UNIT = Axis("across", 0, 1), Axis("up", 0, 1)


def parsed(*series, **options):
    return ElementTree.fromstring(chart(series, *UNIT, title="A & B", **options))


def test_corners_of_the_frame():
    root = parsed(Series("", [0, 1], [0, 1]))
    assert root.find("polyline").get("points") == (
        f"{LEFT:.1f},{HEIGHT - BOTTOM:.1f} {WIDTH - RIGHT:.1f},{TOP:.1f}"
    )
    assert root.get("aria-label") == "A & B" and root.get("role") == "img"


def test_points_have_labels_and_what_is_not_finite_is_left_out():
    root = parsed(Series("", [0.5, np.nan], [0.5, 0.5], "points", ["<eye>", "gone"]))
    (circle,) = root.findall("circle")
    assert circle.find("title").text == "<eye>"
    assert float(circle.get("cx")) == pytest.approx((LEFT + WIDTH - RIGHT) / 2)


def test_bars_and_the_diagonal():
    root = parsed(Series("", [0.5], [0.5], "bars", low=[0.25], high=[0.75]), diagonal=True)
    classes = [line.get("class") for line in root.findall("polyline")]
    assert classes == ["diagonal", "bar s0"]


def test_a_legend_only_where_there_is_a_choice():
    one, two = Series("one", [0], [0]), Series("two", [1], [1])
    assert parsed(one).find("g") is None
    assert [t.text for t in parsed(one, two).find("g").findall("text")] == ["one", "two"]


def test_a_curve_is_a_line_with_its_points():
    root = parsed(Series("", [0, 1], [0, 1], "curve", ["a", "b"]))
    assert len(root.findall("circle")) == 2 and root.find("polyline").get("class") == "line s0"


@pytest.mark.parametrize(
    ("x", "y", "left", "top"),
    [([0, 1], [0.2, 0.2], True, True), ([0, 1], [0.9, 0.9], True, False),
     ([0, 0, 1], [0, 1, 1], False, False), ([0, 1, 1], [0, 0, 1], True, True)],
)  # fmt: skip
def test_the_legend_stands_in_the_emptiest_corner(x, y, left, top):
    key = parsed(Series("one", x, y), Series("two", x, y)).find("g").find("rect")
    assert (float(key.get("x")) < WIDTH / 2) == left
    assert (float(key.get("y")) < HEIGHT / 2) == top


def test_intervals_stand_in_lines_with_their_names():
    rows = [("a & b", {"value": 0.0, "low": -0.5, "high": 0.5}), ("nothing", None)]
    root = ElementTree.fromstring(interval_chart(rows, Axis("difference", -1, 1), title="t"))
    names = [t.text for t in root.findall("text") if t.get("text-anchor") == "end"]
    assert names == ["a & b", "nothing"]
    (dot,), (bar,) = root.findall("circle"), root.findall("polyline")
    ends = [float(point.split(",")[0]) for point in bar.get("points").split()]
    assert float(dot.get("cx")) == pytest.approx(sum(ends) / 2, abs=0.1)
    assert [line.get("class") for line in root.findall("line")].count("zero") == 1
    assert dot.find("title").text == "a & b: 0.000 (-0.500 to 0.500)"
    scores = ElementTree.fromstring(interval_chart(rows[1:], Axis("score", 0, 1), title="t"))
    assert "zero" not in [line.get("class") for line in scores.findall("line")]


def test_an_axis_holds_its_values():
    axis = spanning("x", [3, 42], [np.nan])
    assert axis.low <= 3 and axis.high >= 42
    assert spanning("x", [np.nan]) == Axis("x", 0.0, 1.0)
    equal = spanning("x", [0.75, 0.75 + 1e-13])
    assert 0.01 <= equal.high - equal.low < 0.1 and equal.low < 0.75 < equal.high
    assert spanning("x", [300.0]).high - 300 < 10
