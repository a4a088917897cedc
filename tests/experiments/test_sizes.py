"""A size names the architecture and nothing else, in any program and with any preset."""

import itertools

import pytest
from absl import flags

from experiments.eye_programs import IMO, PROGRAMS
from experiments.program_settings import configured
from experiments.runtime import UserError
from experiments.screening.methods import METHODS
from experiments.screening.presets import PRESETS as SCREENING_PRESETS
from imo_jax.models.imo.config import OF_SIZE as OF_IMO
from imo_jax.models.imo.config import SIZES as IMO_SIZES
from imo_jax.models.semt.config import OF_SIZE as OF_SEMT
from imo_jax.models.semt.config import SIZE_SETTINGS as SEMT_SIZES
from imo_jax.settings.fields import leaves


def parsed(program, *arguments):
    values = flags.FlagValues()
    program.define_flags(values)
    values(["program", *arguments])
    return program.configured(values)


@pytest.mark.parametrize(
    ("preset", "size"), itertools.product(IMO.presets, IMO.sizes)
)
def test_a_size_of_imo_changes_what_it_owns_and_nothing_else(preset, size):
    before = leaves(IMO.presets[preset]())
    after = leaves(parsed(IMO, f"--preset={preset}", f"--size={size}"))
    assert {name for name in before if before[name] != after[name]} <= set(OF_IMO)
    assert {name: after[name] for name in OF_IMO} == {
        name: getattr(IMO_SIZES[size], name) for name in OF_IMO
    }


@pytest.mark.parametrize("preset", IMO.presets)
@pytest.mark.parametrize("size", IMO.sizes)
@pytest.mark.parametrize(
    "named",
    ["--signal_scale=0.3", "--time_difference=2", "--start_time=0.9", "--label_embedding=expected",
     "--sampling_steps=7", "--dtype=bfloat16", "--refine=single", "--feature_dim=128"],
)  # fmt: skip
def test_what_the_user_names_is_kept_in_any_order(preset, size, named):
    for arguments in itertools.permutations((f"--preset={preset}", f"--size={size}", named)):
        config = parsed(IMO, *arguments)
        name, value = named[2:].split("=")
        assert str(leaves(config)[name]) == value


@pytest.mark.parametrize("name", ["segmenter", "grader"])
def test_sizes_of_the_other_programs_are_a_setting_of_their_own(name):
    program = PROGRAMS[name]
    before = leaves(program.presets["default"]().completed())
    after = leaves(parsed(program, "--size=tiny"))
    assert {setting for setting in before if before[setting] != after[setting]} <= {"size"}


@pytest.mark.parametrize("preset", SCREENING_PRESETS)
@pytest.mark.parametrize("size", SEMT_SIZES)
@pytest.mark.parametrize("method", METHODS)
def test_a_size_of_semt_changes_what_it_owns_and_nothing_else(preset, size, method):
    start = SCREENING_PRESETS[preset]()
    given = {"method": method, "network": METHODS[method].network}
    before = leaves(configured(start, {}, given))
    after = leaves(configured(start, SEMT_SIZES[size], given))
    assert {name for name in before if before[name] != after[name]} <= set(OF_SEMT)
    assert after["dtype"] == before["dtype"]


def test_a_run_that_is_shorter_than_its_warmup_warms_up_in_a_tenth(capsys):
    config = parsed(IMO, "--train_steps=40")
    assert config.optimiser.warmup_steps == 4
    assert "warms up in 4" in capsys.readouterr().err
    assert parsed(IMO, "--train_steps=60").optimiser.warmup_steps == 60
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", PROGRAMS)
def test_bad_values_are_all_said_at_once(name):
    with pytest.raises(UserError) as raised:
        parsed(
            PROGRAMS[name], "--train_steps=-5", "--learning_rate=nan", "--eval_every=0",
            "--save_every=-1", "--ema_decay=1.5", "--seed=-1",
        )  # fmt: skip
    for word in ("train_steps", "learning_rate", "eval_every", "save_every", "ema_decay", "seed"):
        assert word in str(raised.value)


def test_bad_values_of_screening_are_all_said_at_once():
    given = {"train_steps": -5, "learning_rate": float("inf"), "scan_size": 8, "neighbours": 0}
    with pytest.raises(UserError) as raised:
        configured(SCREENING_PRESETS["default"](), {}, given)
    for word in given:
        assert word in str(raised.value)


def test_who_names_blocks_or_channels_of_the_convnext_has_it_as_encoder():
    assert parsed(IMO).model.encoder == "resnet10_w16"
    assert parsed(IMO, "--backbone_widths=8,8,16,16").model.encoder is None
    with pytest.raises(UserError, match="backbone_depths: of the released ConvNeXt, not of --encoder=resnet18"):
        parsed(IMO, "--encoder=resnet18", "--backbone_depths=1,1,1,1")
