"""The house: rooms import from lower floors only, and its picture shows the imports that there are."""

import graphlib
from pathlib import Path

import pytest

from ccnn_geo.experiments.engine.house import draw_house, house_of, main
from ccnn_geo.experiments.engine.house_imports import (
    FLOORS,
    between_rooms,
    find_imports,
    find_modules,
    imported,
    room,
)

ROOT = Path(__file__).parents[2]
MODULES = find_modules(ROOT)
ARROWS = find_imports(MODULES)


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


def test_one_module_asks_the_compiler_and_eight_ask_it():
    code = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
    assert [n for n, text in code.items() if "torch.compiler.is_" in text] == ["_base.tracing"]
    assert sum("_base.tracing import" in text for text in code.values()) <= 8


def test_the_reader_of_imports_sees_them_everywhere():
    code = "def f():\n    from ccnn_geo.io import read_shape\nif x:\n    import ccnn_geo.nn.ccnn\nfrom . import base\n"
    assert imported("kernels.siren", code, MODULES) == {"io", "nn.ccnn", "kernels.base"}


def test_imports_are_counted_by_room():
    imports = {"nn.a": {"nn.b", "io.x", "io.y"}, "nn.b": {"io.x"}, "": {"nn.a"}, "io.x": set()}
    assert between_rooms(imports) == {("nn", "io"): 3, ("", "nn"): 1}


def test_the_picture_has_a_box_for_each_room_and_a_number_for_each_arrow():
    picture = draw_house({"nn": (2, 1234), "io": (1, 87)}, {("nn", "io"): 3})
    assert "2 modules, 1,200 lines" in picture and "1 module, 87 lines" in picture
    assert picture.count('class="box"') == 2 and picture.count('class="count"') == 1
    assert ">3</text>" in picture and ">floor 4</text>" in picture and ">floor 1</text>" in picture


def test_the_picture_of_the_pages_is_that_of_the_tree():
    """After a change of imports: python -m ccnn_geo.experiments.engine.house"""
    assert (ROOT / "docs" / "figures" / "house.svg").read_text(encoding="utf-8") == house_of(ROOT)


def test_the_command_writes_the_picture(tmp_path, capsys):
    main(["--out", str(tmp_path / "house.svg")])
    assert (tmp_path / "house.svg").read_text(encoding="utf-8") == house_of(ROOT)
    assert capsys.readouterr().out == f"{tmp_path / 'house.svg'}\n"


def test_where_there_is_no_checkout_the_reader_says_so(tmp_path):
    with pytest.raises(ValueError, match="house: expected a checkout with ccnn_geo/, got"):
        find_modules(tmp_path)
