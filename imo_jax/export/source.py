"""Functions of the project as the source of one file that needs nothing of the project.

What prepares an eye for a network must do so to the pixel. So what is handed out with a network is
no second version, but the very text: of the functions asked for, and of all that they use.
"""

import ast
import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterator, Sequence

PROJECT = ("imo_jax", "data_pipelines", "experiments")


def standalone(functions: Sequence[Callable], title: str) -> str:
    """The source of a module with these functions, and whatever of the project they use.

    Args:
      functions: of modules that import what they use of the project by `from module import name`.
      title: the module's docstring.
    """
    # Module -> positions of its statements; modules that others use first.
    wanted: dict[str, set[int]] = {}
    imports: set[str] = set()
    seen = set()

    def collect(module: str, name: str) -> None:
        if (module, name) in seen:
            return
        seen.add((module, name))
        text = _text_of(module)
        if name in text.defined:
            position = text.defined[name]
            for used in text.uses(position):
                collect(module, used)
            wanted.setdefault(module, set()).add(position)
        elif name in text.taken:
            collect(*text.taken[name])
        else:
            imports.add(text.imports[name])

    for function in functions:
        collect(function.__module__, function.__name__)
    return _written(wanted, imports, title)


@dataclasses.dataclass(frozen=True)
class _Text:
    """A module's source.

    Attributes:
      source: all of it.
      body: its statements.
      defined: name -> position of the statement that defines it.
      taken: name -> (module, name) of the project that it was imported from.
      imports: name -> the statement that imports it from elsewhere.
    """

    source: str
    body: list[ast.stmt]
    defined: dict[str, int]
    taken: dict[str, tuple[str, str]]
    imports: dict[str, str]

    def uses(self, position: int) -> Iterator[str]:
        """Names of the module that a statement uses."""
        known = self.defined.keys() | self.taken.keys() | self.imports.keys()
        for node in ast.walk(self.body[position]):
            if isinstance(node, ast.Name) and node.id in known:
                yield node.id

    def written(self, position: int) -> str:
        """A statement with its decorators and the comment above it."""
        node = self.body[position]
        lines = self.source.splitlines()
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        while first and lines[first - 1].startswith("#"):
            first -= 1
        return "\n".join(lines[first : node.end_lineno])


@functools.cache
def _text_of(module: str) -> _Text:
    with open(importlib.import_module(module).__file__, encoding="utf-8") as file:
        source = file.read()
    body = ast.parse(source).body
    text = _Text(source, body, {}, {}, {})
    for position, node in enumerate(body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text.defined[node.name] = position
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            text.defined.update(dict.fromkeys(names, position))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            _note_import(text, node)
    return text


def _note_import(text: _Text, node: ast.Import | ast.ImportFrom) -> None:
    module = getattr(node, "module", None)
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        if module is not None and module.partition(".")[0] in PROJECT:
            text.taken[name] = (module, alias.name)
        else:
            single = ast.Import([alias]) if module is None else ast.ImportFrom(module, [alias], 0)
            text.imports[name] = ast.unparse(single)


def _written(wanted: dict[str, set[int]], imports: set[str], title: str) -> str:
    parts = [f'"""{title}"""', "from __future__ import annotations"]
    parts.append("\n".join(sorted(imports)))
    for module, positions in wanted.items():
        text = _text_of(module)
        parts += [f"# from {module}", *(text.written(p) for p in sorted(positions))]
    return "\n\n\n".join(parts) + "\n"
