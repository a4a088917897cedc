"""--help of the programs: short first, everything in groups on request."""

import sys

import programs
import pytest
from absl import flags

from experiments import flag_fields, program_help
from experiments.config import RunConfig
from experiments.presets import PRESETS
from imo_jax.settings.fields import leaf_fields


@pytest.fixture(scope="module")
def values():
    found = flags.FlagValues()
    flags.DEFINE_enum("mode", None, ["train", "predict"], "what to do", flag_values=found)
    flags.DEFINE_string("workdir", "runs/imo", "folder of the run", flag_values=found)
    flag_fields.define_flags(RunConfig, found)
    return found


@pytest.fixture(scope="module")
def preset():
    return PRESETS["default"]()


@pytest.mark.parametrize(
    "arguments, wanted",
    [(["--mode=train"], None), (["-h"], False), (["--help"], False), (["--helpfull"], True)],
)
def test_which_help_is_wanted(arguments, wanted):
    assert program_help.wanted_help(arguments) is wanted


def test_the_short_help_fits_a_screen_and_says_where_the_rest_is(values, preset):
    text = program_help.help_text("A program.\n", preset, values, full=False)
    lines = text.splitlines()
    assert lines[0] == "A program." and len(lines) < 50 and max(map(len, lines)) <= 100
    assert lines.index("What to do:") < lines.index("Training:")
    assert "  --workdir: folder of the run (default runs/imo)" in lines
    assert "--adam_eps" not in text and "--helpfull lists every flag: " in text
    assert "Exit codes: 0 done" in text


def test_the_long_help_has_every_setting_once_with_the_presets_value(values, preset):
    text = program_help.help_text("A program.", preset, values, full=True)
    for _, field, _ in leaf_fields(RunConfig):
        name = f"--[no]{field.name}:" if field.type is bool else f"--{field.name}:"
        wanted = field.metadata.get("flag", True)
        assert text.count(f"\n  {name}") == wanted, field.name
    assert "\ndata - Which eyes, and at what size:\n" in text
    flat = " ".join(text.split())
    assert f"peak learning rate (default {preset.optimiser.learning_rate})" in flat
    assert f"(default {','.join(map(str, preset.model.backbone_widths))})" in flat


@pytest.mark.parametrize("program", ["imo", "semt"])
def test_a_program_answers_and_is_done(program):
    command = [sys.executable, "-m", f"experiments.{program}", "--help"]
    done = programs.run(command, programs.environment(), timeout=60)
    assert done.returncode == 0 and not done.stderr
    for said in ("python -m experiments", "--mode", "--oct", "--helpfull", "Exit codes"):
        assert said in done.stdout
