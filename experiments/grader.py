"""The graders that IMO is compared with (the paper's Table 2), trained as it is.

python -m experiments.grader --network=resnet --size=tiny          # phantom: train, evaluate, draw
python -m experiments.grader --flagfile=experiments/flagfiles/tables/vit.flags --manifest=...
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

from experiments.config import GraderRunConfig  # isort: skip
from experiments.eye_program import EyeProgram
from experiments.presets import GRADER_PRESETS

PROGRAM = EyeProgram(__doc__, GraderRunConfig, GRADER_PRESETS, workdir="runs/grader")

if __name__ == "__main__":
    PROGRAM.run()
