"""What is said of a file."""

import numpy as np
import pytest

from imo_jax.weights.family import take
from imo_jax.weights.inspect import main
from imo_jax.weights.recognise import FAMILIES


@pytest.fixture
def said(tmp_path, capsys):
    """State dict -> the lines that are printed of its file."""

    def of(state):
        path = tmp_path / "weights.npz"
        np.savez(path, **state)
        assert main([str(path)]) == 0
        return capsys.readouterr().out.splitlines()

    return of


def test_a_backbone(draw, said):
    resnet, *_ = FAMILIES
    state = take(draw("resnet", channels=5), resnet, "torchvision")
    parameters = sum(a.size for name, a in state.items() if "running" not in name)
    state |= {"fc.weight": np.zeros((9, 128)), "fc.bias": np.zeros(9)}
    state["bn1.num_batches_tracked"] = np.zeros(1)
    assert said(state) == [
        "family   ResNet",
        "size     resnet10",
        "names    torchvision",
        f"arrays   {len(state)}, with {parameters + 9 * 129:,} parameters",
        "input    5 channels",
        "head     9 classes",
    ]


def test_no_head_and_unknown_arrays(draw, said):
    vit = next(family for family in FAMILIES if family.name == "ViT")
    state = take(draw("vit"), vit, "timm")
    lines = said(state | {f"blocks.0.extra{i}": np.zeros(1) for i in range(4)})
    assert lines[-2:] == [
        "head     none",
        "unknown  4 arrays: blocks.0.extra0, blocks.0.extra1, blocks.0.extra2, ...",
    ]


def test_a_whole_imo(said):
    state = {"module.CMFA.fc.0.weight": np.zeros((2, 3)), "module.x.running_var": np.zeros(3)}
    assert said(state) == [
        "family   IMO, the whole network",
        "names    of the released code",
        "arrays   2, with 6 parameters",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.npz", "missing.npz: no such file"),
        ("weights.h5", "a weights file ends in"),
        ("other.npz", "other.npz: not the names of a ResNet (torchvision, huggingface), ConvNeXt"),
        ("broken.npz", "broken.npz: cannot be read as weights"),
    ],
)
def test_a_file_that_is_not_understood(tmp_path, capsys, name, words):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    assert main([str(tmp_path / name)]) == 1
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.count("\n") == 1 and not captured.out
