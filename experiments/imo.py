"""IMO: joint optic disc and cup segmentation and glaucoma grading.

python -m experiments.imo                                   # phantom: train, evaluate, draw
python -m experiments.imo --flagfile=experiments/flagfiles/imo/gamma.flags --manifest=...
python -m experiments.imo --mode=predict --workdir=runs/imo --fundus=eye.jpg --oct=eye.npy
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

from experiments.eye_programs import IMO  # isort: skip
from experiments.eyes import EYES, IMO_MODES
from experiments.program import Program

PROGRAM = Program(__doc__, IMO, EYES, IMO_MODES)

if __name__ == "__main__":
    PROGRAM.run()
