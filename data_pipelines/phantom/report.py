"""Compare the phantom with the real figures, and print its controls."""

import numpy as np

from data_pipelines.phantom import angles, controls, figures, perimetry, population
from data_pipelines.phantom.population import Population

Row = tuple[str, str, str]  # figure, real, phantom


def _healthy_ring(eyes: Population) -> list[Row]:
    healthy = ~eyes.glaucoma
    mean = eyes.rnfl[healthy].mean(axis=0)
    degrees = angles.DEGREES

    def extreme(first: float, last: float, pick) -> str:
        inside = np.abs(angles.difference(degrees, (first + last) / 2)) <= (last - first) / 2
        return f"{pick(mean[inside]):.0f}"

    low, high = figures.HEALTHY_HUMP_MAX_UM
    thin, thick = figures.HEALTHY_HUMP_MIN_UM
    return [
        (
            "healthy: mean RNFL on the ring, micron",
            f"{figures.HEALTHY_RNFL_MEAN_UM:.0f} +- {figures.HEALTHY_RNFL_SD_UM:.0f}",
            f"{eyes.rnfl_mean[healthy].mean():.1f} +- {eyes.rnfl_mean[healthy].std():.1f}",
        ),
        (
            "healthy: superior, inferior maximum",
            f"{low:.0f} to {high:.0f}",
            f"{extreme(40, 140, np.max)}, {extreme(220, 320, np.max)}",
        ),
        (
            "healthy: temporal, nasal minimum",
            f"{thin:.0f} to {thick:.0f}",
            f"{extreme(-40, 40, np.min)}, {extreme(140, 220, np.min)}",
        ),
    ]


def _bands(values: np.ndarray, bands) -> list[np.ndarray]:
    return [(values >= low) & (values < high) for low, high in bands]


def lei_weights(eyes: Population) -> np.ndarray:
    """Weights (eyes,) that give the eyes with glaucoma the MD distribution of LEI-SFD."""
    weights = np.zeros(len(eyes.md))
    bands = _bands(eyes.md, figures.LEI_RNFL_BY_MD)
    for inside, share in zip(bands, figures.LEI_MD_SHARES, strict=True):
        weights[inside & eyes.glaucoma] = share / max(1, (inside & eyes.glaucoma).sum())
    return weights / weights.sum()


def _moments(weights: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    mean = float(weights @ x)
    return mean, float(np.sqrt(weights @ (x - mean) ** 2))


def correlation(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Weighted Pearson correlation; the weights sum to 1."""
    (mean_x, sd_x), (mean_y, sd_y) = _moments(weights, x), _moments(weights, y)
    return float(weights @ ((x - mean_x) * (y - mean_y))) / (sd_x * sd_y)


def _structure_and_function(eyes: Population) -> list[Row]:
    lei = lei_weights(eyes)
    md, rnfl = _moments(lei, eyes.md), _moments(lei, eyes.rnfl_mean)
    everyone = np.full(len(eyes.md), 1 / len(eyes.md))
    ill = eyes.glaucoma / eyes.glaucoma.sum()
    rows = [
        (
            "glaucoma, weighted to LEI's MD: MD, dB",
            f"{figures.LEI_MD_MEAN_DB} +- {figures.LEI_MD_SD_DB}",
            f"{md[0]:.1f} +- {md[1]:.1f}",
        ),
        (
            "  the same: mean RNFL, micron",
            f"{figures.LEI_RNFL_MEAN_UM} +- {figures.LEI_RNFL_SD_UM}",
            f"{rnfl[0]:.1f} +- {rnfl[1]:.1f}",
        ),
        (
            "  the same: correlation of MD and RNFL",
            f"{figures.LEI_MD_RNFL_CORRELATION}",
            f"{correlation(lei, eyes.md, eyes.rnfl_mean):.2f}",
        ),
        (
            "  unweighted: glaucoma; all eyes",
            "-",
            f"{correlation(ill, eyes.md, eyes.rnfl_mean):.2f}; "
            f"{correlation(everyone, eyes.md, eyes.rnfl_mean):.2f}",
        ),
    ]
    bands = _bands(eyes.md, figures.LEI_RNFL_BY_MD)
    for (low, high), inside in zip(figures.LEI_RNFL_BY_MD, bands, strict=True):
        chosen = eyes.rnfl_mean[inside & eyes.glaucoma]
        rows.append(
            (
                f"glaucoma: RNFL at MD {low}..{high} dB",
                f"{figures.LEI_RNFL_BY_MD[low, high]:.0f}",
                f"{chosen.mean():.1f} +- {chosen.std():.1f}",
            )
        )
    return rows


def _sectors(eyes: Population) -> list[Row]:
    mild = eyes.sectors[eyes.glaucoma & (eyes.md >= -2)].mean(axis=0)
    moderate = eyes.sectors[eyes.glaucoma & (eyes.md >= -12) & (eyes.md < -6)].mean(axis=0)
    rows = []
    for k, name in enumerate(figures.SECTORS):
        a, b = figures.LEI_SECTORS_MILD_UM[k], figures.LEI_SECTORS_MODERATE_UM[k]
        rows.append(
            (
                f"sector {name}: MD >= -2 -> -12..-6 dB",
                f"{a:.0f} -> {b:.0f} ({b / a - 1:+.0%})",
                f"{mild[k]:.0f} -> {moderate[k]:.0f} ({moderate[k] / mild[k] - 1:+.0%})",
            )
        )
    return rows


def retest(eyes: Population, tests: int = 400) -> tuple[float, float]:
    """Retest SD (dB) of single locations: sensitivity of 32 dB or more; below 20 dB."""
    differences, levels = [], []
    for number, eye in enumerate(eyes.eyes[:tests]):
        state, shape = eye.first.latents, eye.first.shape
        rng = np.random.default_rng([number, 97])
        pair = [perimetry.test(state, shape.loss_db, rng).total_deviation for _ in range(2)]
        differences.append(pair[0] - pair[1])
        levels.append(perimetry.true_sensitivity(state, shape.loss_db))
    difference, level = np.concatenate(differences), np.concatenate(levels)
    high, low = level >= 32, (level < 20) & (level >= 5)
    return tuple(float(np.sqrt((difference[s] ** 2).mean() / 2)) for s in (high, low))


def _fields(eyes: Population) -> list[Row]:
    rows = []
    bands = _bands(eyes.md, figures.UWHVF_PSD_BY_MD)
    for (low, high), inside in zip(figures.UWHVF_PSD_BY_MD, bands, strict=True):
        rows.append(
            (
                f"all eyes: median PSD at MD {low}..{high} dB",
                f"{figures.UWHVF_PSD_BY_MD[low, high]}",
                f"{np.median(eyes.psd[inside]):.1f}",
            )
        )
    high, low = retest(eyes)
    rows.append(
        (
            "retest SD at >= 32 dB; below 20 dB",
            f"{figures.RETEST_SD_HIGH_DB}; {figures.RETEST_SD_LOW_DB}",
            f"{high:.1f}; {low:.1f}",
        )
    )
    return rows


def _discs(eyes: Population) -> list[Row]:
    ill = np.percentile(eyes.vcdr[eyes.glaucoma], list(figures.CLINIC_VCDR_PERCENTILES))
    well = np.percentile(eyes.vcdr[~eyes.glaucoma], [5, 25, 50, 75, 95])
    low, high = figures.HEALTHY_VCDR_RANGE
    shares = np.bincount(eyes.grade, minlength=3) / len(eyes.grade)
    height = np.percentile(eyes.disc_height, [5, 50, 95])
    return [
        (
            "glaucoma: vertical cup-to-disc ratio 5/50/95 %",
            "/".join(f"{v:.2f}" for v in figures.CLINIC_VCDR_PERCENTILES.values()),
            "/".join(f"{v:.2f}" for v in ill),
        ),
        (
            "healthy: the same 5/25/50/75/95 %",
            f"{low} to {high}",
            "/".join(f"{v:.2f}" for v in well),
        ),
        (
            "disc height as a fraction of the field 5/50/95 %",
            f"about {figures.DISC_HEIGHT_FRACTION}",
            "/".join(f"{v:.2f}" for v in height),
        ),
        (
            "grades: normal/early/mid or advanced, %",
            "/".join(f"{100 * v:.0f}" for v in figures.GRADE_MIXTURE),
            "/".join(f"{100 * v:.0f}" for v in shares),
        ),
    ]


def compare(eyes: Population) -> list[Row]:
    """Every figure with its real and its phantom value."""
    return [
        *_healthy_ring(eyes),
        *_structure_and_function(eyes),
        *_sectors(eyes),
        *_fields(eyes),
        *_discs(eyes),
    ]


def report(seed: int, count: int = 4000, discs: int = 600) -> str:
    """The comparison and the controls as text, from `count` eyes that are not rendered."""
    eyes = population.sample(seed, count)
    lines = [f"{count} eyes of seed {seed}, not rendered", ""]
    lines.append(f"{'figure':<50}{'real':>22}{'phantom':>28}")
    lines.extend(f"{name:<50}{real:>22}{ours:>28}" for name, real, ours in compare(eyes))
    placed, best = controls.mean_shape_dice(eyes.eyes[: discs // 2], eyes.eyes[discs // 2 : discs])
    kappas = controls.grading_kappas(eyes)
    lines += ["", "controls"]
    lines.append(f"(a) mean disc shape at the mean place: Dice {placed:.3f} (must be <= 0.6)")
    lines.append(f"    the best fixed mask: Dice {best:.3f}")
    for letter, key, name in (("b", "vcdr", "vertical CDR"), ("c", "rnfl", "mean RNFL")):
        short = kappas["both"] - kappas[key]
        lines.append(
            f"({letter}) grading from the true {name} alone: quadratic kappa {kappas[key]:.3f}, "
            f"{short:.3f} short of both (must be >= 0.1)"
        )
    lines.append(f"    both together: {kappas['both']:.3f}")
    lines.append(f"    vertical CDR and the six sectors: {kappas['both and sectors']:.3f}")
    return "\n".join(lines)
