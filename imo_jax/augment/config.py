"""The settings of the augmentation: ranges to draw from; a zero switches its part off."""

import dataclasses

CROP_MODES = ("disc", "random", "released", "none", "square")
OCT_FOLLOWS = ("flip", "none")


def setting(default, help_text: str, choices: tuple[str, ...] | None = None):
    """A field that says what it does, for whoever makes flags of a config."""
    metadata = {"help": help_text} | ({"choices": choices} if choices else {})
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """What the augmentation draws, example by example.

    Raises ValueError on construction for a range that makes no sense, naming the setting.
    """

    crop_size: int = setting(192, "side of a training crop in working pixels")
    crop_mode: str = setting(
        "disc",
        "where a training crop lies: around the labelled disc (disc), anywhere (random), as the "
        "released code crops (released), the whole image, which needs "
        "crop_size = image_size (none), or about its middle, moved by crop_shift (square)",
        CROP_MODES,
    )
    crop_shift: float = setting(
        0.0, "standard deviation of the move of a crop off the middle, in its sides (square)"
    )
    scale_min: float = setting(0.8, "smallest factor by which a training image is resized")
    scale_max: float = setting(1.25, "largest factor by which a training image is resized")
    rotate_degrees: float = setting(15.0, "largest rotation of a training image, either way")
    flip: bool = setting(True, "mirror half of the training images left to right")
    left_as_right: bool = setting(
        False,
        "mirror the photographs, masks and OCT volumes of left eyes (OS), in training and everywhere "
        "else, so that all look like right ones; eyes of unknown side stay; needs --noflip",
    )
    oct_follows: str = setting(
        "flip",
        "whether the OCT volume is mirrored along its width with the photograph (flip) or not "
        "(none)",
        OCT_FOLLOWS,
    )
    colour_probability: float = setting(
        0.5, "probability of each of brightness, contrast, saturation and hue being changed"
    )
    brightness: float = setting(32.0, "largest grey levels (of 255) added or taken off")
    contrast: float = setting(0.5, "contrast is multiplied by 1 - contrast .. 1 + contrast")
    saturation: float = setting(0.5, "saturation is multiplied by 1 - s .. 1 + s")
    hue_degrees: float = setting(36.0, "largest turn of the colour circle, either way")
    oct_gain: float = setting(0.2, "OCT intensity is multiplied by 1 - gain .. 1 + gain")
    oct_gamma: float = setting(0.2, "OCT intensity is raised to exp(-gamma) .. exp(gamma)")
    oct_speckle: float = setting(0.1, "standard deviation of multiplicative OCT speckle")
    oct_shift: float = setting(0.05, "largest OCT shift in depth, as a fraction of the depth")
    oct_withheld: float = setting(
        0.15,
        "probability that an eye trains without its OCT, so that photographs alone can be predicted",
    )

    def __post_init__(self) -> None:
        problems = [
            f"{name}={getattr(self, name)!r} is none of {', '.join(choices)}"
            for name, choices in (("crop_mode", CROP_MODES), ("oct_follows", OCT_FOLLOWS))
            if getattr(self, name) not in choices
        ]
        if self.left_as_right and self.flip:
            problems.append(
                "left_as_right=True with flip=True: flip would show half of all eyes as left ones "
                "again; give --noflip, too"
            )
        if self.crop_size < 1:
            problems.append(f"crop_size={self.crop_size} must be at least 1")
        if not 0 < self.scale_min <= self.scale_max:
            problems.append(
                f"scale_min={self.scale_min}, scale_max={self.scale_max}: need "
                "0 < scale_min <= scale_max"
            )
        limits = {"crop_shift": 1, "colour_probability": 1, "contrast": 1, "saturation": 1, "oct_gain": 1,
                  "oct_shift": 1, "rotate_degrees": 180, "brightness": 255, "hue_degrees": 180,
                  "oct_gamma": 5, "oct_speckle": 5, "oct_withheld": 1}  # fmt: skip
        for name, limit in limits.items():
            if not 0 <= getattr(self, name) <= limit:
                problems.append(f"{name}={getattr(self, name)} lies outside 0..{limit}")
        if problems:
            raise ValueError("augmentation: " + "; ".join(problems))


# The released IMO training pipeline (at working size 1024): OpenCV's hue units are 2 degrees each,
# and the OCT volume is left as it is, whatever happens to the photograph.
RELEASED = AugmentConfig(
    crop_size=640,
    crop_mode="released",
    scale_min=0.5,
    scale_max=2.0,
    rotate_degrees=0.0,
    flip=True,
    oct_follows="none",
    colour_probability=0.5,
    brightness=32.0,
    contrast=0.5,
    saturation=0.5,
    hue_degrees=36.0,
    oct_gain=0.0,
    oct_gamma=0.0,
    oct_speckle=0.0,
    oct_shift=0.0,
    oct_withheld=0.0,
)
