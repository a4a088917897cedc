"""The programs on eyes by the kind of their networks: what each can be told of a run."""

from experiments.config import GraderRunConfig, RunConfig, SegmenterRunConfig
from experiments.presets import GRADER_PRESETS, PRESETS, SEGMENTER_PRESETS
from experiments.program_settings import ProgramSettings
from imo_jax.models.imo.config import SIZE_SETTINGS

IMO = ProgramSettings(RunConfig, PRESETS, "runs/imo", SIZE_SETTINGS)
SEGMENTER = ProgramSettings(SegmenterRunConfig, SEGMENTER_PRESETS, "runs/segmenter")
GRADER = ProgramSettings(GraderRunConfig, GRADER_PRESETS, "runs/grader")

PROGRAMS = {of.config_class.kind: of for of in (IMO, SEGMENTER, GRADER)}
