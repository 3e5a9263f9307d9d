"""The house: rules for imports between rooms, and all existing imports.

A room is a folder of ``ccnn_geo/`` (or a file directly in it), ``datasets/`` or ``experiments/``. Rooms lie on
floors, and import only from lower floors. All imports count, also those in functions and for type checkers.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Root of the checkout that this file lies in."""

FLOORS = {
    "_base": 0,
    "io": 1,
    "kernels": 1,
    "functional": 2,
    "neighbors": 3,
    "nn": 4,
    "transforms": 4,
    "export": 5,
    "testing": 5,
    "datasets": 5,
    "training": 6,
    "visualization": 7,
    "cli": 8,
    "": 9,  # ccnn_geo itself, which exports names of all rooms
    "experiments": 10,
}
"""The floor of each room."""


def find_modules(root: Path = ROOT) -> dict[str, Path]:
    """Lists files by the names of their modules, without ``ccnn_geo.``.

    Args:
        root: Root of a checkout.

    Raises:
        ValueError: If it is not a checkout.
    """
    found = {}
    for top in ("ccnn_geo", "datasets", "experiments"):
        if not (root / top).is_dir():
            raise ValueError(f"house: expected a checkout with {top}/, got {root}")
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            parts = parts[1:] if top == "ccnn_geo" else parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imported(name: str, source: str, modules: Mapping[str, Path]) -> set[str]:
    """Returns the modules of this project that a source imports, anywhere in it.

    Args:
        name: Name of its module.
        source: Its text.
        modules: All modules, from :func:`find_modules`.
    """
    package = name if modules[name].name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = ["ccnn_geo", *filter(None, package.split("."))]
                base = ".".join([*above[: len(above) - node.level + 1], *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix("ccnn_geo.")
                found.add(f"ccnn_geo.{inner}" if inner in modules else base)
    ours = {m.removeprefix("ccnn_geo").lstrip(".") for m in found if m.split(".")[0] == "ccnn_geo"}
    return (ours & set(modules)) - {name}


def find_imports(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Returns the modules of this project that each module imports."""
    return {name: imported(name, path.read_text(encoding="utf-8"), modules) for name, path in modules.items()}


def room(name: str) -> str:
    """Returns the room of a module; the room of ``ccnn_geo`` itself has no name."""
    return name.partition(".")[0]


def between_rooms(imports: Mapping[str, set[str]]) -> Counter[tuple[str, str]]:
    """Counts the imports from each room to another."""
    return Counter(
        (room(name), room(other))
        for name, others in imports.items()
        for other in others
        if room(name) != room(other)
    )
