"""Shape of an eye: health obeys the known patterns, disease thins what it should."""

import dataclasses

import numpy as np

from data_pipelines.phantom import anatomy, angles, latents, population


def healthy(seed: int = 0) -> latents.Latents:
    """An ordinary healthy eye: no individual departures."""
    drawn = latents.draw(seed, 0, "OD")
    return dataclasses.replace(
        drawn,
        glaucoma=False,
        severity=0.0,
        focal=(),
        hemifield=0.0,
        rim_gain=1.0,
        rnfl_gain=1.0,
        rnfl_floor=0.5,
        cup_shift=0.04,
        cup_ratio=0.4,
        rnfl_wiggle=(0.0,) * 8,
        hump_shift=(0.0, 0.0),
        hump_gain=(1.0, 1.0),
        healthy_rnfl=95.0,
        disc_rotation=0.0,
        disc_wiggle=(0.0,) * 6,
    )


def ill(severity: float) -> latents.Latents:
    return dataclasses.replace(healthy(), glaucoma=True, severity=severity)


def test_lookup_interpolates_around_the_circle():
    table = np.arange(angles.NUM_ANGLES, dtype=float)  # step 2 degrees
    found = angles.lookup(table, np.array([0.0, 3.0, -2.0, 362.0]))
    np.testing.assert_allclose(found, [0, 1.5, 179, 1])
    # Between the last entry and the first: halfway between 179 and 0.
    np.testing.assert_allclose(angles.lookup(table, np.array([359.0])), [89.5])


def test_rim_obeys_isnt_in_health():
    shape = anatomy.derive(healthy())
    rim = (shape.disc - shape.cup) / shape.disc
    at = {name: float(angles.lookup(rim, np.array(a))) for name, a in
          (("T", 0.0), ("S", 90.0), ("N", 180.0), ("I", 270.0))}  # fmt: skip
    assert at["I"] > at["S"] > at["N"] > at["T"]


def test_cup_ratio_in_health_is_the_one_drawn():
    assert abs(anatomy.derive(healthy()).vcdr - 0.4) < 0.02


def test_healthy_ring_has_two_humps():
    shape = anatomy.derive(healthy())
    np.testing.assert_allclose(shape.rnfl_mean, 95.0, atol=0.2)
    peaks = [i for i in range(angles.NUM_ANGLES) if shape.rnfl[i] == shape.rnfl.max()]
    assert 270 < angles.DEGREES[peaks[0]] < 310
    sectors = angles.sector_means(shape.rnfl)
    assert min(sectors["TS"], sectors["TI"]) > 1.5 * max(sectors["T"], sectors["N"])


def test_disease_thins_the_poles_most():
    before = angles.sector_means(anatomy.derive(ill(0.0)).rnfl)
    after = angles.sector_means(anatomy.derive(ill(4.0)).rnfl)
    left = {k: after[k] / before[k] for k in before}
    assert all(v < 1 for v in left.values())
    assert max(left["TI"], left["TS"]) < min(left["NS"], left["NI"])
    assert max(left["NS"], left["NI"]) < min(left["T"], left["N"])


def test_disease_is_monotone_and_has_a_floor():
    shapes = [anatomy.derive(ill(s)) for s in (0, 1, 2, 4, 8, 16, 26)]
    assert np.all(np.diff([s.vcdr for s in shapes]) > 0)
    assert np.all(np.diff([s.rnfl_mean for s in shapes]) < 0)
    assert shapes[-1].rnfl_mean > 40 and shapes[-1].vcdr < anatomy.MAX_CUP + 0.01


def test_inferior_hemifield_loss_thins_below():
    lower = anatomy.derive(dataclasses.replace(ill(4.0), hemifield=1.0))
    upper = anatomy.derive(dataclasses.replace(ill(4.0), hemifield=-1.0))
    assert angles.sector_means(lower.rnfl)["TI"] < angles.sector_means(upper.rnfl)["TI"]
    assert angles.sector_means(lower.rnfl)["TS"] > angles.sector_means(upper.rnfl)["TS"]


def test_cup_lies_inside_the_disc_in_every_eye():
    for eye in population.sample(0, 200).eyes:
        assert np.all(eye.first.shape.cup < eye.first.shape.disc)
        assert np.all(eye.first.shape.cup > 0)


def test_fibres_are_radial_nasally_and_arch_temporally():
    nasal = anatomy.entry_angle(np.array([-2.0]), np.array([1.0]))
    np.testing.assert_allclose(nasal, np.rad2deg(np.arctan2(1.0, -2.0)), atol=1e-6)
    # Just above and below the raphe, beyond the fovea: from opposite poles.
    above, below = anatomy.entry_angle(np.array([6.5, 6.5]), np.array([0.3, -0.3]))
    assert 45 < above < 90 and -90 < below < -45
    # The papillomacular bundle goes straight in.
    assert abs(float(anatomy.entry_angle(np.array([1.5]), np.array([0.1]))[0])) < 10
