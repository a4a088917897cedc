"""What the numbers of a volume are taken for, from their type and range."""

import numpy as np
import pytest

from data_pipelines import quality
from data_pipelines.volume_form import VolumeForm
from data_pipelines.volume_numbers import (
    BITS,
    DECIBEL,
    GREY,
    LOGARITHMS,
    SIGNED,
    UNIT,
    meaning,
)
from data_pipelines.volumes import to_cube

BASE = np.random.default_rng(0).uniform(0, 1, (10, 40, 40)).astype(np.float32)


def filled(volume, value, share=0.1):
    """With `value` in that share of the voxels."""
    volume = volume.copy()
    volume.reshape(-1)[: int(share * volume.size)] = value
    return volume


@pytest.mark.parametrize(
    ("volume", "kind"),
    [
        ((255 * BASE).astype(np.uint8), GREY),
        ((3 * BASE).astype(np.uint8), GREY),  # what is 8 bits is not stretched
        (255 * BASE, GREY),
        (BASE, UNIT),
        (0.4 * BASE, UNIT),
        (5.5 * BASE, LOGARITHMS),
        (40 * BASE, DECIBEL),
        (4095 * BASE, BITS),
        (65535 * BASE, BITS),
        (40 * BASE - 20, SIGNED),
    ],
)
def test_kinds(volume, kind):
    numbers = meaning(volume)
    assert (numbers.kind, numbers.fill, numbers.unknown) == (kind, None, None)


@pytest.mark.parametrize("value", [-9999, -32768, -100])
def test_a_fill_value_is_black_and_said(value):
    volume = filled(40 * BASE, value)
    numbers = meaning(volume)
    assert numbers.fill == (value, pytest.approx(0.1)) and numbers.kind == DECIBEL
    assert (numbers.low, numbers.high) == pytest.approx((0.04, 39.96), abs=0.1)
    grey = to_cube(volume, *volume.shape)
    assert not grey.reshape(-1)[:1600].any() and 120 < grey.reshape(-1)[1600:].mean() < 135
    assert f"holds {value} in 10.0% of its voxels" in quality.volume_doubts(volume)[0]


def test_numbers_below_zero_that_are_near_the_others_are_no_fill():
    assert meaning(filled(40 * BASE, -5)).fill is None
    assert meaning(filled(40 * BASE, -9999, share=0.0002)).fill is None  # rare: percentiles do


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        (filled(4095 * BASE, 65535), "holds 65535 in 10.0% of its voxels, far above all others"),
        (filled(np.zeros_like(BASE), 7, share=0.0005), "holds 0 in nearly all of its voxels"),
    ],
)
def test_what_cannot_be_known_is_refused_until_it_is_said(volume, said):
    (fault,) = quality.volume_faults(volume)
    assert said in fault and "--oct_range" in fault
    form = VolumeForm(range="0..4095" if "65535" in said else "0..7")
    assert quality.volume_faults(form.of(volume, "v.npy")) == []


def test_a_saturated_volume_of_8_bits_is_whole():
    assert meaning(filled(250 * BASE, 255)).unknown is None
    assert meaning(filled(BASE, 1.0)).unknown is None
