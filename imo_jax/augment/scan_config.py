"""The settings of the augmentation for screening: ranges to draw from; a zero switches its part off."""

import dataclasses

from imo_jax.augment.config import setting


@dataclasses.dataclass(frozen=True)
class ScanAugmentConfig:
    """What is drawn for each training example; a zero switches its part off.

    Raises ValueError on construction for a range that makes no sense, naming the setting.
    """

    flip_probability: float = setting(
        0.5, "probability that a training B-scan or cube is mirrored along its width"
    )
    right_as_left: bool = setting(
        False,
        "mirror the volumes of right eyes, in training and everywhere else, so that all look like "
        "left ones",
    )
    translate: float = setting(
        0.05, "largest shift along each axis, as a fraction of it; edges are repeated"
    )
    brightness: float = setting(16.0, "largest grey levels (of 255) added or taken off")
    contrast: float = setting(0.2, "contrast is multiplied by 1 - contrast .. 1 + contrast")
    speckle: float = setting(0.1, "standard deviation of multiplicative speckle")

    def __post_init__(self) -> None:
        limits = {"flip_probability": 1, "translate": 1, "brightness": 255, "contrast": 1,
                  "speckle": 5}  # fmt: skip
        problems = [
            f"{name}={getattr(self, name)} lies outside 0..{limit}"
            for name, limit in limits.items()
            if not 0 <= getattr(self, name) <= limit
        ]
        if problems:
            raise ValueError("augmentation: " + "; ".join(problems))
