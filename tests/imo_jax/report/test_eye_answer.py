"""What the local page says of an eye, from measures by hand."""

import dataclasses

import numpy as np

from imo_jax.metrics.disc_measures import DiscMeasures, measure_disc
from imo_jax.report.eye_answer import in_words, rim_profile

ROWS, COLUMNS = np.indices((121, 121)) - 60
IDS = (np.hypot(ROWS, COLUMNS) <= 50).astype(np.uint8) + (np.hypot(ROWS, COLUMNS) <= 25)


@dataclasses.dataclass
class Result:
    """An EyeResult as far as it is looked at."""

    measures: DiscMeasures | None
    warnings: tuple[str, ...] = ()

    def __str__(self):
        return "eye7: all of it"


def test_ratios_rim_and_doubts_are_said():
    head, ratios, doubt = in_words(Result(measure_disc(IDS), ("dark",))).split("\n\n")
    assert head == "**eye7: all of it**" and doubt == "⚠ dark"
    assert "horizontal ratio 0.50, area ratio 0.25" in ratios  # 51 of 101 pixels, a quarter
    assert ratios.count("0.25") == 5  # the rim is a quarter of the diameter everywhere
    assert in_words(Result(None)) == "**eye7: all of it**"


def test_millimetres_are_said_where_the_spacing_is_known():
    *_, areas = in_words(Result(measure_disc(IDS, mm_per_pixel=0.02))).split("\n\n")
    assert "disc 3.14 mm²" in areas and "cup 0.78 mm²" in areas  # pi, and a quarter of it
    assert areas.count("0.50") == 4  # the rim, 25 pixels


def test_the_rims_profile_closes_the_circle_and_needs_a_disc():
    assert rim_profile(Result(None)) == ""
    drawn = rim_profile(Result(measure_disc(IDS)))
    assert drawn.startswith("<svg") and "Rim by clock hour" in drawn
    wider = np.where((IDS == 2) & (ROWS < 0), 1, IDS)  # no cup above the middle
    assert rim_profile(Result(measure_disc(wider))) != drawn
