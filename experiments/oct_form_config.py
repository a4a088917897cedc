"""The settings that say what the axes and numbers of OCT volumes mean."""

from dataclasses import dataclass, field

from data_pipelines.volume_form import ORDERS, VolumeForm
from imo_jax.settings.fields import EVALUATE


@dataclass(frozen=True)
class OctFormConfig:
    """What is said of all volumes whose manifest does not say it."""

    oct_axes: str | None = field(
        default=None,
        metadata={
            "help": "order of the axes in the files of OCT volumes, where no column oct_axes says "
            "it; default: slices,depth,width",
            "choices": ORDERS,
            "changes": (EVALUATE,),
        },
    )
    oct_range: str | None = field(
        default=None,
        metadata={
            "help": "numbers of black and white in OCT volumes, as 0..40, where no column oct_range "
            "says it; default: judged by the numbers",
            "changes": (EVALUATE,),
        },
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a range that is none."""
        if self.oct_range is not None:
            VolumeForm(range=self.oct_range)

    @property
    def form(self) -> VolumeForm:
        """How volumes are to be taken."""
        return VolumeForm(self.oct_axes, self.oct_range)
