"""How high a room is built: the longest chain of imports within it."""

import ast
import functools
import pathlib


def imported_names(path: pathlib.Path) -> set[str]:
    """Dotted names of everything `path` imports, at any depth (functions included)."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def floors(room: pathlib.Path) -> dict[str, int]:
    """Module -> length of the longest chain of imports below it, within its room; 1 = none."""
    modules = {module_of(path, room.parent): path for path in room.rglob("*.py")}

    def known(name: str) -> str | None:
        """The module that an imported name is, or is of."""
        return next((m for m in (name, name.rpartition(".")[0]) if m in modules), None)

    below = {
        module: {known(name) for name in imported_names(path)} - {None, module}
        for module, path in modules.items()
    }

    @functools.cache
    def floor(module: str) -> int:
        return 1 + max(map(floor, below[module]), default=0)

    return {module: floor(module) for module in modules}


def module_of(path: pathlib.Path, root: pathlib.Path) -> str:
    """Dotted name of a file below the folder that holds its room."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
