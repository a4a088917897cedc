"""IMO: joint optic disc and cup segmentation and glaucoma grading.

python -m experiments.imo                                   # phantom: train, evaluate, draw
python -m experiments.imo --flagfile=experiments/flagfiles/imo/gamma.flags --manifest=...
python -m experiments.imo --mode=predict --workdir=runs/imo --fundus=eye.jpg --oct=eye.npy
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

from experiments.config import RunConfig  # isort: skip
from experiments.eye_program import EyeProgram
from experiments.presets import PRESETS
from imo_jax.models.imo.config import SIZE_SETTINGS

PROGRAM = EyeProgram(__doc__, RunConfig, PRESETS, workdir="runs/imo", sizes=SIZE_SETTINGS)

if __name__ == "__main__":
    PROGRAM.run()
