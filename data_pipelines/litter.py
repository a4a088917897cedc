"""What systems leave among the files of people: `__MACOSX`, `._*`, `.DS_Store`, Thumbs.db."""

_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name was made by a system, not by a person."""
    return name.startswith(".") or name.lower() in _LITTER or name.endswith(":Zone.Identifier")
