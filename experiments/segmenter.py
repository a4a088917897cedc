"""The segmenters that IMO is compared with (the paper's Table 1), trained as it is.

python -m experiments.segmenter --network=segformer --size=tiny    # phantom: train, evaluate, draw
python -m experiments.segmenter --flagfile=experiments/flagfiles/tables/unetpp.flags --manifest=...
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

from experiments.config import SegmenterRunConfig  # isort: skip
from experiments.eye_program import EyeProgram
from experiments.presets import SEGMENTER_PRESETS

PROGRAM = EyeProgram(__doc__, SegmenterRunConfig, SEGMENTER_PRESETS, workdir="runs/segmenter")

if __name__ == "__main__":
    PROGRAM.run()
