"""The report: statistics near the real figures, and the controls, from eyes without images."""

import numpy as np
import pytest

from data_pipelines.phantom import contact_sheet, controls, figures, population, report


@pytest.fixture(scope="module")
def eyes() -> population.Population:
    return population.sample(0, 2000)


def test_healthy_ring(eyes):
    mean = eyes.rnfl_mean[~eyes.glaucoma]
    assert abs(mean.mean() - figures.HEALTHY_RNFL_MEAN_UM) < 2
    assert abs(mean.std() - figures.HEALTHY_RNFL_SD_UM) < 1


def test_mixture_of_grades(eyes):
    shares = np.bincount(eyes.grade) / len(eyes.grade)
    np.testing.assert_allclose(shares, figures.GRADE_MIXTURE, atol=0.03)


def test_structure_and_function(eyes):
    weights = report.lei_weights(eyes)
    found = report.correlation(weights, eyes.md, eyes.rnfl_mean)
    assert abs(found - figures.LEI_MD_RNFL_CORRELATION) < 0.1
    for (low, high), real in figures.LEI_RNFL_BY_MD.items():
        inside = eyes.glaucoma & (eyes.md >= low) & (eyes.md < high)
        assert abs(eyes.rnfl_mean[inside].mean() - real) < 6


def test_psd_falls_again(eyes):
    medians = [
        np.median(eyes.psd[(eyes.md >= low) & (eyes.md < high)])
        for low, high in figures.UWHVF_PSD_BY_MD
    ]
    real = list(figures.UWHVF_PSD_BY_MD.values())
    np.testing.assert_allclose(medians, real, atol=1.2)
    assert medians[-1] < medians[-2]


def test_discs(eyes):
    ill = np.percentile(eyes.vcdr[eyes.glaucoma], list(figures.CLINIC_VCDR_PERCENTILES))
    np.testing.assert_allclose(ill, list(figures.CLINIC_VCDR_PERCENTILES.values()), atol=0.06)
    assert 0.3 < np.median(eyes.vcdr[~eyes.glaucoma]) < 0.5
    assert abs(eyes.disc_height.mean() - figures.DISC_HEIGHT_FRACTION) < 0.02


def test_weighted_correlation_is_the_plain_one_for_equal_weights():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50))
    found = report.correlation(np.full(50, 1 / 50), x, y)
    np.testing.assert_allclose(found, np.corrcoef(x, y)[0, 1])


def test_a_fixed_disc_does_not_segment(eyes):
    placed, best = controls.mean_shape_dice(eyes.eyes[:200], eyes.eyes[200:400])
    assert placed <= 0.6 and best <= 0.6


def test_neither_measure_alone_grades(eyes):
    kappas = controls.grading_kappas(eyes)
    assert kappas["both"] > 0.87
    assert kappas["vcdr"] < kappas["both"] - 0.1
    assert kappas["rnfl"] < kappas["both"] - 0.1


def test_report_prints_every_figure():
    text = report.report(seed=0, count=400, discs=40)
    assert "controls" in text and "(c)" in text and text.count("\n") > 30
    assert "nan" not in text


def test_contact_sheet(tmp_path):
    path = tmp_path / "docs" / "sheet.png"
    contact_sheet.save(path, seed=0)
    assert 50_000 < path.stat().st_size < 1_000_000
