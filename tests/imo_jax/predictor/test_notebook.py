"""The example of docs/ runs from top to bottom as it stands."""

import pathlib
import runpy

NOTEBOOK = pathlib.Path(__file__).parents[3] / "docs" / "notebook.py"


def test_the_example_runs(run_folder, screening_folder, eyes, tmp_path, monkeypatch, capsys):
    names = {
        "RUN": run_folder("imo"), "SEMT": screening_folder("semt"), "EYE": eyes[0][0],
        "VOLUME": eyes[0][1], "OUT": tmp_path / "out",
    }  # fmt: skip
    for name, value in names.items():
        monkeypatch.setenv(name, str(value))
    runpy.run_path(str(NOTEBOOK))
    printed = capsys.readouterr().out
    assert "from the photograph alone" in printed and "errors measured on: nothing" in printed
    written = {path.name.removeprefix(eyes[0][0].stem) for path in (tmp_path / "out").iterdir()}
    assert {".json", "_mask.png", "_overlay.png", "_uncertainty.png"} <= written
