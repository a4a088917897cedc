"""Weights files of each kind."""

import argparse
import zipfile

import numpy as np
import pytest

from imo_jax.weights import read_state_dict

STATE = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.bias": np.array([0.5, -1.0], np.float32),
}


def assert_is_the_state(read):
    assert read.keys() == STATE.keys()
    for name, array in STATE.items():
        np.testing.assert_array_equal(read[name], array)


def test_npz(tmp_path):
    np.savez(tmp_path / "plain.npz", **STATE)
    assert_is_the_state(read_state_dict(tmp_path / "plain.npz"))


def test_npz_where_only_some_entries_are_weights(tmp_path):
    prefixed = {f"param/{name}": array for name, array in STATE.items()}
    np.savez(tmp_path / "reference.npz", **prefixed, image=np.zeros(3), config="{}")
    assert_is_the_state(read_state_dict(str(tmp_path / "reference.npz")))


def test_npz_never_executes_what_is_in_it(tmp_path):
    np.savez(tmp_path / "object.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_state_dict(tmp_path / "object.npz")


def test_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file(STATE, tmp_path / "weights.safetensors")
    assert_is_the_state(read_state_dict(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("ending", ["pth", "PT"])
def test_pytorch(tmp_path, wrapper, ending):
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array.copy()) for name, array in STATE.items()}
    saved = tensors if wrapper is None else {wrapper: tensors, "epoch": 3}
    torch.save(saved, tmp_path / f"weights.{ending}")
    assert_is_the_state(read_state_dict(tmp_path / f"weights.{ending}"))


def test_pytorch_half_precision(tmp_path):
    torch = pytest.importorskip("torch")
    values = torch.tensor([0.5, 3.0], dtype=torch.bfloat16)
    torch.save({"w": values, "n": torch.tensor(4)}, tmp_path / "w.pth")
    read = read_state_dict(tmp_path / "w.pth")
    assert read["w"].dtype == np.float32
    np.testing.assert_array_equal(read["w"], [0.5, 3.0])
    assert read["n"] == 4


class Bomb:
    """Would raise while it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


@pytest.mark.parametrize("legacy", [False, True])
def test_pytorch_never_executes_what_is_in_it(tmp_path, legacy):
    """What is no tensor is passed over, as the settings that training scripts save beside."""
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array.copy()) for name, array in STATE.items()}
    torch.save(
        {"model": tensors, "args": argparse.Namespace(epochs=3), "bomb": Bomb(), "list": [Bomb()]},
        tmp_path / "bomb.pth",
        _use_new_zipfile_serialization=not legacy,
    )
    assert_is_the_state(read_state_dict(tmp_path / "bomb.pth"))


@pytest.mark.parametrize("legacy", [False, True])
def test_pytorch_views_types_and_parameters(tmp_path, legacy):
    """Transposed, shared, sliced and narrow tensors, as PyTorch itself reads them."""
    torch = pytest.importorskip("torch")
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "transposed": base.T, "slice": base[1:3, 2:5], "shared": base, "double": base.double(),
        "parameter": torch.nn.Parameter(base * 2), "bool": base > 3, "int8": base.to(torch.int8),
        "scalar": torch.tensor(4), "empty": torch.zeros(0, 3),
    }  # fmt: skip
    path = tmp_path / "w.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    read = read_state_dict(path)
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        assert read[name].dtype == tensor.detach().numpy().dtype
        np.testing.assert_array_equal(read[name], tensor.detach().numpy())


def test_an_unknown_ending_is_told_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"weights\.h5.*\.npz.*\.safetensors.*\.pth"):
        read_state_dict(tmp_path / "weights.h5")


def test_a_file_without_weights(tmp_path):
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(ValueError, match=r"empty\.npz: holds no weights"):
        read_state_dict(tmp_path / "empty.npz")


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_garbage_is_refused_with_its_name(tmp_path, ending):
    path = tmp_path / f"garbage{ending}"
    path.write_bytes(b"these are no weights")
    with pytest.raises(ValueError, match=f"garbage{ending}: cannot be read"):
        read_state_dict(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.npz"):
        read_state_dict(tmp_path / "absent.npz")


def test_a_torch_file_that_holds_a_list_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="list.pth: .*it holds a list"):
        read_state_dict(tmp_path / "list.pth")


def test_a_member_that_is_no_array_is_named(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("stem.npy", b"\x92NUMPY")
    with pytest.raises(ValueError, match=r"a\.npz: cannot be read .*no arrays: stem"):
        read_state_dict(path)
