"""Where a network in two stages looks: a first network finds the disc on the whole photograph."""

from typing import TYPE_CHECKING

import numpy as np

from data_pipelines import framing
from data_pipelines.squares import find_disc, frame_of_square, square_around
from imo_jax.metrics.disc_measures import Side
from imo_jax.predictor.answers import answer_of, ask

if TYPE_CHECKING:
    from imo_jax.predictor.eyes import EyePredictor

NOT_LOCATED = "no credible disc was found to look at: the whole photograph was looked at instead"


class Locator:
    """Finds the square of a photograph around its disc. May be called from several threads.

    Attributes:
      predictor: segments whole photographs.
      diameters: side of a square in diameters of its disc.
    """

    def __init__(self, predictor: "EyePredictor", diameters: float) -> None:
        self.predictor, self.diameters = predictor, diameters

    def frame(
        self, pixels: np.ndarray, size: int, side: Side | None = None
    ) -> framing.Frame | None:
        """The frame of the square around the disc; None where no credible disc is found.

        Args:
          pixels: (H, W, 3) uint8, a photograph.
          size: side of the working square in pixels.
          side: of the eye, "OD" or "OS"; None = not known.
        """
        settings = self.predictor.settings
        whole = framing.find_frame(pixels, settings.image_size, settings.crop_to_field)
        batch = {"fundus": framing.frame_image(pixels, whole)[None]}
        turned = settings.turned([side])
        outputs = ask(
            self.predictor.networks, batch, settings.model, samples=settings.samples, turned=turned
        )
        disc = find_disc(answer_of(outputs, 0).probabilities, whole)
        if disc is None:
            return None
        return frame_of_square(square_around(disc, self.diameters), pixels.shape[:2], size)
