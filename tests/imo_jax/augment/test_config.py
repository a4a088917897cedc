"""Settings: nonsense is refused by name, every setting explains itself."""

import dataclasses

import pytest

from imo_jax.augment.config import RELEASED, AugmentConfig


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"crop_mode": "centre"}, "crop_mode"),
        ({"oct_follows": "crop"}, "oct_follows"),
        ({"crop_size": 0}, "crop_size"),
        ({"scale_min": 0.0}, "scale_min"),
        ({"scale_min": 2.0, "scale_max": 1.0}, "scale_max"),
        ({"rotate_degrees": -1.0}, "rotate_degrees"),
        ({"contrast": 1.5}, "contrast"),
        ({"colour_probability": 1.1}, "colour_probability"),
        ({"oct_speckle": float("nan")}, "oct_speckle"),
    ],
)
def test_nonsense_is_refused_by_name(change, words):
    with pytest.raises(ValueError, match=words):
        AugmentConfig(**change)


def test_all_problems_are_told_at_once():
    with pytest.raises(ValueError, match="crop_size.*brightness"):
        AugmentConfig(crop_size=-1, brightness=-1.0)


def test_every_setting_has_a_help_text():
    assert all(field.metadata.get("help") for field in dataclasses.fields(AugmentConfig))


def test_released_settings():
    # Resize to 1024 U(0.5, 2), crop 640, mirror, +-32, 0.5..1.5, +-18 of OpenCV's 180 hue units;
    # the OCT is left alone.
    assert (RELEASED.crop_size, RELEASED.crop_mode, RELEASED.flip) == (640, "released", True)
    assert (RELEASED.scale_min, RELEASED.scale_max, RELEASED.rotate_degrees) == (0.5, 2.0, 0.0)
    assert (RELEASED.brightness, RELEASED.contrast, RELEASED.saturation) == (32.0, 0.5, 0.5)
    assert RELEASED.hue_degrees == 18 * 360 / 180
    assert RELEASED.oct_follows == "none"
    assert not any((RELEASED.oct_gain, RELEASED.oct_gamma, RELEASED.oct_speckle,
                    RELEASED.oct_shift))  # fmt: skip
