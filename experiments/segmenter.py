"""The segmenters that IMO is compared with (the paper's Table 1), trained as it is.

python -m experiments.segmenter --network=segformer --size=tiny    # phantom: train, evaluate, draw
python -m experiments.segmenter --flagfile=experiments/flagfiles/tables/unetpp.flags --manifest=...
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

from experiments.eye_programs import SEGMENTER  # isort: skip
from experiments.eyes import EYES, SEGMENTER_MODES
from experiments.program import Program

PROGRAM = Program(__doc__, SEGMENTER, EYES, SEGMENTER_MODES)

if __name__ == "__main__":
    PROGRAM.run()
