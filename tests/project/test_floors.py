"""The house: which room may import from which, read from every import, also those in functions and for types."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

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
    "": 9,  # ccnn_geo itself, which hands out names of all rooms
    "experiments": 10,
}
"""Rooms import from lower floors only."""


def modules():
    """Files by name, without ``ccnn_geo.``."""
    found = {}
    for top in ("ccnn_geo", "datasets", "experiments"):
        for path in (ROOT / top).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts[1:] if top == "ccnn_geo" else parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = modules()


def imports(name, source):
    """Modules that a source imports, anywhere in it."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
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
                found.add(f"ccnn_geo.{inner}" if inner in MODULES else base)
    ours = {m.removeprefix("ccnn_geo").lstrip(".") for m in found if m.split(".")[0] == "ccnn_geo"}
    return (ours & set(MODULES)) - {name}


ARROWS = {name: imports(name, path.read_text()) for name, path in MODULES.items()}


def room(name):
    return name.split(".")[0]


def test_every_room_has_a_floor():
    assert {room(name) for name in MODULES} == set(FLOORS)


def test_no_import_runs_upwards():
    wrong = [
        f"{name} -> {other}"
        for name, others in sorted(ARROWS.items())
        for other in sorted(others)
        if room(name) != room(other) and FLOORS[room(other)] >= FLOORS[room(name)]
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle():
    try:
        graphlib.TopologicalSorter(ARROWS).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(map(str, error.args[1])))


def test_the_house_has_twelve_rooms_at_most():
    entries = {p.name for p in (ROOT / "ccnn_geo").iterdir() if p.name not in ("__init__.py", "__pycache__")}
    assert len(entries - {"py.typed"}) <= 12  # the last is a mark for type checkers, not a place


def test_the_reader_of_imports_sees_them_everywhere():
    code = "def f():\n    from ccnn_geo.io import read_shape\nif x:\n    import ccnn_geo.nn.ccnn\nfrom . import base\n"
    assert imports("kernels.siren", code) == {"io", "nn.ccnn", "kernels.base"}
