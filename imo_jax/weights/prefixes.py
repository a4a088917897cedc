"""What training scripts put before the names of all weights."""

from collections.abc import Iterable, Mapping
from typing import Any

PREFIXES = ("module.", "param/", "model.", "net.", "network.", "_orig_mod.")


def strip_prefixes(state: Mapping[str, Any]) -> dict[str, Any]:
    """Names without the prefixes of PREFIXES that all of them have, in whatever order."""
    found = True
    while found and state:
        found = next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None)
        if found:
            state = {name.removeprefix(found): value for name, value in state.items()}
    return dict(state)


def prefixes_before(names: Iterable[str], name: str) -> list[str]:
    """Prefixes, up to a dot, with which a name is among others: "" where it is there as it is."""
    found = (n.removesuffix(name) for n in names if n.endswith(name))
    return [prefix for prefix in dict.fromkeys(found) if not prefix or prefix.endswith(".")]
