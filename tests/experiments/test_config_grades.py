"""The grades of a run's settings are those that its manifest names."""

import dataclasses

import pytest

from experiments.config import EYE_RUNS, DataConfig
from experiments.locator import locator_config
from experiments.presets import GRADER_PRESETS, PRESETS

pytestmark = pytest.mark.quick
FOUR = ("healthy", "mild", "moderate", "severe")


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "eyes.grades.txt").write_text("\n".join(FOUR))
    return str(tmp_path / "eyes.csv")


@pytest.mark.parametrize("kind", EYE_RUNS)
def test_all_kinds_of_network_follow_the_manifest(kind, manifest):
    config = EYE_RUNS[kind](data=DataConfig(manifest=manifest)).completed()
    assert config.data.grade_names == FOUR
    assert not config.model.grade or config.model.num_grades == 4
    assert config.completed() == config


def test_a_head_of_other_grades_is_no_configuration():
    with pytest.raises(ValueError, match="num_grades=3, but the grades are a, b"):
        EYE_RUNS["grader"](data=DataConfig(grade_names=("a", "b")))


def test_a_wrong_file_is_left_to_the_check(manifest):
    with open(manifest.replace(".csv", ".grades.txt"), "w") as file:
        file.write("alone")
    config = EYE_RUNS["imo"](data=DataConfig(manifest=manifest))
    assert config.completed() == config


@pytest.mark.parametrize("presets", [PRESETS, GRADER_PRESETS])
def test_the_locator_has_the_runs_grades_and_no_head_for_them(presets, manifest):
    config = presets["default"]()
    data = dataclasses.replace(config.data, manifest=manifest)
    located = locator_config(dataclasses.replace(config, data=data).completed())
    assert located.data.grade_names == FOUR and not located.model.grade
