"""What is said of one eye beside its pictures: words as Markdown, and a chart of its rim."""

from imo_jax.metrics.disc_measures import areas_in_words
from imo_jax.predictor.eye_result import EyeResult
from imo_jax.report.charts import Axis, Series, chart, spanning


def in_words(result: EyeResult) -> str:
    """Ratios, sectors and doubts as Markdown."""
    lines = [f"**{result}**"]
    if (measures := result.measures) is not None:
        found = measures.to_json()
        rim = ", ".join(f"{name} {width:.2f}" for name, width in found["rim_width"].items())
        lines.append(
            f"horizontal ratio {found['horizontal_cdr']:.2f}, area ratio {found['area_cdr']:.2f}; "
            f"rim in disc diameters: {rim}"
        )
        if (in_mm := measures.sector_rim_mm) is not None:
            rim = ", ".join(f"{name} {width:.2f}" for name, width in in_mm.items())
            lines.append(f"area: {areas_in_words(measures)}; rim in mm: {rim}")
    lines += [f"⚠ {warning}" for warning in result.warnings]
    return "\n\n".join(lines)


def rim_profile(result: EyeResult) -> str:
    """The rim's width about each hour of a clock face as SVG; "" where there is no disc."""
    measures = result.measures
    if measures is None:
        return ""
    widths = [width / measures.disc_height for width in measures.clock_rim]
    x = Axis("hour on the photograph (12 at the top)", 0, 12)
    y = spanning("rim width, disc diameters", [0, *widths])
    return chart([Series("", range(13), [*widths, widths[0]])], x, y, title="Rim by clock hour")
