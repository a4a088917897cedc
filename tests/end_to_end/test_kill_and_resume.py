"""The whole program killed and resumed; the quick suite does so with the training loop alone."""

import kill_and_resume
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("program", kill_and_resume.PROGRAMS)
def test_two_kills_change_no_bit(tmp_path, program):
    chosen = kill_and_resume.PROGRAMS[program]
    assert len(kill_and_resume.main(kills=2, seed=1, folder=tmp_path, program=chosen)) == 2
