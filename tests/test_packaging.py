"""What is installed: commands that exist, one version, no benchmarks."""

import ast
import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def assigned(name):
    """The literal that setup.py gives a name."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"setup.py has no {name}")


def top_level_names(path):
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_each_command_is_there():
    commands = assigned("COMMANDS")
    assert {c.split(" = ")[0] for c in commands} >= {"imo", "semt", "imo-tables", "imo-manifest"}
    for command in commands:
        module, _, function = command.split(" = ")[1].partition(":")
        path = ROOT / (module.replace(".", "/") + ".py")
        assert function.split(".")[0] in top_level_names(path), command


def test_one_version():
    version = re.search(r'__version__ = "(.*)"', (ROOT / "imo_jax" / "__init__.py").read_text())[1]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_project_is_described_once_and_licensed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0" and "version" in project["dynamic"]
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert "benchmarks*" not in (ROOT / "setup.py").read_text()
