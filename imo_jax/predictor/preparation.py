"""What makes a network's inputs of an eye's files, and a mask of its outputs: all by name.

These are the functions that a predictor calls. An exported network takes their source along
(`imo_jax.export`), so that it sees the same pixels where this project is not installed.
"""

from data_pipelines.framing import find_frame, frame_image, unframe_probabilities
from data_pipelines.load.screening_batches import centres
from data_pipelines.squares import find_disc, frame_of_square, square_around
from data_pipelines.volumes import centre_scans, kept_scans, to_cube, to_grid, to_scans

PHOTOGRAPH = (find_frame, frame_image)  # the working square
TO_MASK = (unframe_probabilities,)
SQUARE = (find_disc, square_around, frame_of_square)  # around what a locator found
VOLUME = (to_grid,)  # beside a photograph
SCANS = (to_scans, kept_scans, centre_scans, centres)  # of a network that sees B-scans
CUBE = (to_cube,)  # of one that sees a volume whole
