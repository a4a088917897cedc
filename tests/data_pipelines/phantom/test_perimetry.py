"""Visual field: indices worked by hand, and the course of disease."""

import dataclasses

import numpy as np

from data_pipelines.phantom import anatomy, latents, perimetry, population, report


def test_the_pattern_has_52_places_without_the_blind_spot():
    points = {tuple(p) for p in perimetry.locations().tolist()}
    assert len(points) == 52
    assert (15.0, 3.0) not in points and (-27.0, 3.0) in points and (21.0, -3.0) in points


def test_indices_of_a_normal_field():
    field = perimetry.indices(np.zeros(52), 60.0)
    np.testing.assert_allclose((field.md, field.psd, field.vfi), (0.0, 0.0, 100.0))


def test_general_depression_moves_md_alone():
    field = perimetry.indices(np.full(52, -5.0), 60.0)
    np.testing.assert_allclose((field.md, field.psd, field.vfi), (-5.0, 0.0, 100.0), atol=1e-9)


def test_one_blind_quarter():
    """13 of 52 places 26 dB down: MD -6.5; variance 26^2 * 13*39 / (52*51)."""
    deviation = np.zeros(52)
    deviation[:13] = -26.0
    field = perimetry.indices(deviation, 60.0)
    np.testing.assert_allclose(field.md, -6.5)
    np.testing.assert_allclose(field.psd, 26.0 * np.sqrt(13 * 39 / (52 * 51)))
    assert 0 < field.vfi < 100


def test_blind_eye():
    age = 60.0
    field = perimetry.indices(-perimetry.normal_sensitivity(age), age)
    assert field.vfi == 0.0 and field.md < -25


def test_superior_disc_damage_is_an_inferior_field_defect():
    healthy = dataclasses.replace(
        latents.draw(0, 0, "OD"), severity=6.0, glaucoma=True, hemifield=-1.5, focal=(),
        hill=(0.0,) * 52,
    )  # fmt: skip
    field = perimetry.without_noise(healthy, anatomy.axon_loss(healthy))
    upper = perimetry.locations()[:, 1] > 0
    assert field.total_deviation[~upper].mean() < field.total_deviation[upper].mean() - 5


def test_psd_rises_and_falls_again():
    base = dataclasses.replace(latents.draw(0, 0, "OD"), glaucoma=True, hemifield=0.3, focal=())
    fields = []
    for severity in (0.0, 2.0, 5.0, 10.0, 18.0, 40.0):
        state = dataclasses.replace(base, severity=severity)
        fields.append(perimetry.without_noise(state, anatomy.axon_loss(state)))
    md, psd = [f.md for f in fields], [f.psd for f in fields]
    assert np.all(np.diff(md) < 0)
    assert psd[0] < psd[1] < psd[2] < psd[3]
    assert psd[-1] < max(psd) - 0.5


def test_retest_noise_is_that_of_the_real_field():
    high, low = report.retest(population.sample(0, 150), tests=150)
    assert 0.8 < high < 1.4
    assert 4.0 < low < 5.4
