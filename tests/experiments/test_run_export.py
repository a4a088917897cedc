"""--mode=export writes a folder, whole or not at all, and takes no folder of another kind."""

import pathlib
import sys

import pytest

import imo_jax
from experiments import run_export as module
from experiments.run_export import run_export
from experiments.runtime import UserError

RUNS = pathlib.Path(__file__).resolve().parents[1] / "run_folders"
FILES = {"network.stablehlo", "card.json", "card.md", "example.py", "preparation.py"}


@pytest.fixture(scope="module")
def semt():
    return imo_jax.load(RUNS / "semt")


def test_an_export_is_written_and_replaced(semt, tmp_path):
    out = tmp_path / "a" / "b"
    run_export(semt, format="stablehlo", out=out)
    assert {file.name for file in out.iterdir()} == FILES
    (out / "network.stablehlo").write_bytes(b"")
    run_export(semt, format="stablehlo", out=out)
    assert (out / "network.stablehlo").stat().st_size > 10_000
    assert {file.name for file in out.parent.iterdir()} == {"b"}  # nothing half-written beside it


def test_a_folder_with_something_else_is_left_alone(semt, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="something else than an export"):
        run_export(semt, format="stablehlo", out=tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_failure_leaves_nothing(semt, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "bundle_of", lambda *_: {"card.json": b"{}", "network": "no bytes"})
    with pytest.raises(TypeError):
        run_export(semt, format="stablehlo", out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_format_whose_package_is_missing_says_how_to_get_it(semt, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(UserError, match=r"--format=onnx: .* pip install -e '\.\[onnx\]'"):
        run_export(semt, format="onnx", out=tmp_path / "out")
    assert not list(tmp_path.iterdir())
