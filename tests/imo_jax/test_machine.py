"""The machine in words, and a name for what its code is compiled for."""

import pytest

from imo_jax import machine

INFO = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: sse avx\n"


@pytest.fixture
def cpu_info(tmp_path, monkeypatch):
    """Sets what the system says of its processors; None = it says nothing."""

    def told(text):
        path = tmp_path / "cpuinfo"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        monkeypatch.setattr(machine, "CPU_INFO", path)

    return told


def test_the_processor_is_named_as_it_names_itself(cpu_info):
    cpu_info(INFO)
    assert machine.processor() == "Some CPU @ 2 GHz"
    cpu_info(None)
    assert machine.processor() and "2 GHz" not in machine.processor()


def test_code_is_kept_for_as_many_cores_of_the_same_kind(cpu_info):
    names = []
    for text in (INFO, INFO + INFO.replace(": 0", ": 1"), INFO.replace("avx", "avx512"), None):
        cpu_info(text)
        names.append(machine.fingerprint())
    one, two, other, nothing = names
    assert one == two and len({one, other, nothing}) == 3 and len(one) == 12


def test_devices_are_counted():
    assert machine.describe_devices().startswith("2 CPU devices (")  # of conftest.py
