"""The graders that IMO is compared with (the paper's Table 2), trained as it is.

python -m experiments.grader --network=resnet --size=tiny          # phantom: train, evaluate, draw
python -m experiments.grader --flagfile=experiments/flagfiles/tables/vit.flags --manifest=...
"""

from experiments import runtime  # noqa: F401, first: it quiets what is imported next

from experiments.eye_programs import GRADER  # isort: skip
from experiments.eyes import EYES, GRADER_MODES
from experiments.program import Program

PROGRAM = Program(__doc__, GRADER, EYES, GRADER_MODES)

if __name__ == "__main__":
    PROGRAM.run()
