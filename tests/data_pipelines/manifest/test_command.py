"""The command line: exit codes, and no option that does nothing."""

import subprocess
import sys

import pytest

from data_pipelines.manifest.__main__ import main


def test_check_of_faultless_data(data_set, capsys):
    data_set.write()
    assert main([f"--check={data_set.path}", "--need=train", "--need=eval"]) == 0
    said = capsys.readouterr().out
    assert "no problem found" in said and "--need=train asks" not in said
    assert main([f"--check={data_set.path}"]) == 0
    assert "--need=train asks" in capsys.readouterr().out


def test_check_lists_and_fails(data_set, capsys):
    data_set.rows[0]["grade"] = "9"
    (data_set.folder / "e2.png").write_bytes(b"")
    data_set.write()
    assert main([f"--check={data_set.path}"]) == 1
    told = capsys.readouterr().out
    assert "line 2" in told
    assert "line 3" in told
    assert "2 errors, 0 warnings" in told


def test_need_changes_the_answer(data_set):
    data_set.rows = data_set.rows[:3]
    data_set.write()
    assert main([f"--check={data_set.path}"]) == 0
    assert main([f"--check={data_set.path}", "--need=eval"]) == 1


def test_warnings_do_not_fail(data_set, capsys):
    data_set.rows[1]["fundus"] = "e1.png"
    data_set.write()
    assert main([f"--check={data_set.path}"]) == 0
    assert "1 warning" in capsys.readouterr().out


def test_check_tells_a_screening_manifest_by_its_columns(screening_set, capsys):
    screening_set.rows[0]["md"] = "-99"
    screening_set.write()
    assert main([f"--check={screening_set.path}"]) == 1
    assert "md -99 is impossible" in capsys.readouterr().out


def test_a_header_with_a_fault_is_still_told_apart(screening_set, data_set, capsys):
    text = screening_set.text().replace("glaucoma", "class", 1)
    screening_set.write(text)
    assert main([f"--check={screening_set.path}"]) == 1
    assert "column 'glaucoma' is missing" in capsys.readouterr().out
    data_set.write(data_set.text().replace("grade", "glaucoma", 1))
    assert main([f"--check={data_set.path}"]) == 1
    assert "column 'grade' is missing" in capsys.readouterr().out


def test_no_surrogates_needs_no_donor(screening_set, data_set, capsys):
    screening_set.rows[1]["psd"] = ""
    screening_set.write()
    check = [f"--check={screening_set.path}", "--need=train"]
    assert main(check) == 1
    assert main([*check, "--no_surrogates"]) == 0
    data_set.write()
    assert main([f"--check={data_set.path}", "--no_surrogates"]) == 1
    assert "--no_surrogates does nothing" in capsys.readouterr().err


def test_check_with_data_root(data_set, tmp_path):
    (tmp_path / "manifest.csv").write_text(data_set.text())
    assert main([f"--check={tmp_path / 'manifest.csv'}"]) == 1
    assert main([f"--check={tmp_path / 'manifest.csv'}", f"--data_root={data_set.folder}"]) == 0


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--layout=gamma"],
        ["--layout=unknown", "--root=r", "--out=o"],
        ["--layout=gamma", "--root=r", "--out=o", "--mask_codes=ids"],
        ["--layout=folder", "--root=r", "--out=o", "--include_unlabelled"],
        ["--layout=gamma", "--root=r", "--out=o", "--folds=5", "--test_fraction=0.2"],
        ["--layout=gamma", "--root=r", "--out=o", "--data_root=d"],
        ["--check=m.csv", "--seed=1"],
        ["--check=m.csv", "--lay=gamma"],
        ["--layout=cubes", "--root=r", "--out=o", "--mask_codes=ids"],
        ["--layout=folder", "--root=r", "--out=o", "--pattern=x"],
        ["--layout=gamma", "--root=r", "--out=o", "--normal_words=x"],
        ["--layout=cubes", "--root=r", "--out=o", "--no_surrogates"],
    ],
)
def test_usage_errors(options, capsys):
    with pytest.raises(SystemExit) as raised:
        main(options)
    assert raised.value.code == 2


@pytest.mark.parametrize("option", ["--val_fraction=1.5", "--test_fraction=-1", "--folds=1"])
def test_impossible_splits(tmp_path, capsys, option):
    from PIL import Image

    (tmp_path / "r/images").mkdir(parents=True)
    (tmp_path / "r/grades.csv").write_text("id,grade\n" + "".join(f"{n},1\n" for n in range(5)))
    for number in range(5):
        Image.new("RGB", (40, 40)).save(tmp_path / f"r/images/{number}.png")
    base = ["--layout=folder", f"--root={tmp_path / 'r'}", f"--out={tmp_path / 'o'}"]
    assert main([*base, option]) == 1
    assert "fractions" in (told := capsys.readouterr().err) or "folds" in told
    assert main(base) == 0


@pytest.mark.parametrize("layout", ["gamma", "imo", "folder", "cubes"])
def test_root_that_is_not_there(tmp_path, capsys, layout):
    assert main([f"--layout={layout}", f"--root={tmp_path / 'gone'}", f"--out={tmp_path}"]) == 1
    assert "gone is no folder" in capsys.readouterr().err


def test_as_a_module_without_heavy_libraries(data_set):
    """The tool starts without TensorFlow and JAX, and its exit code is non-zero on errors."""
    data_set.rows[0]["grade"] = "9"
    data_set.write()
    code = (
        "import sys, runpy\n"
        "sys.modules['tensorflow'] = sys.modules['jax'] = None\n"
        f"sys.argv = ['manifest', '--check={data_set.path}']\n"
        "runpy.run_module('data_pipelines.manifest', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "grade '9'" in done.stdout
