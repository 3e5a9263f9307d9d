"""Old paths of modules: they lead to the new ones for one release, and say so."""

import ast
import importlib
import pickle
import runpy
import sys
import warnings
from pathlib import Path

import pytest

import ccnn_geo
from ccnn_geo._base import moved
from ccnn_geo._base.moved import ALSO, ENTRY, MOVED, PACKAGES

ROOT = Path(__file__).parents[2]
LIBRARY = sorted(old for old in MOVED if not old.startswith("experiments."))
"""Programs of experiments are not imported here: some need seconds."""


@pytest.fixture(autouse=True, scope="module")
def leave_no_trace():
    """An old module takes the place of a function of its name, as ``ccnn_geo.predict`` does: not for other tests."""
    ours = [m for name, m in sys.modules.items() if name.split(".")[0] == "ccnn_geo"]
    before = {module.__name__: dict(vars(module)) for module in ours}
    yield
    for name, module in list(sys.modules.items()):
        if not isinstance(module, moved._MovedModule):
            continue
        del sys.modules[name]
        package, _, leaf = name.rpartition(".")
        owner = sys.modules.get(package)
        if owner is not None and vars(owner).get(leaf) is module:
            delattr(owner, leaf)
            if leaf in before.get(package, {}) and before[package][leaf] is not module:
                setattr(owner, leaf, before[package][leaf])


def source(module):
    """The file of a module, without importing it."""
    top = "." if module.split(".")[0] in ("datasets", "experiments") else "ccnn_geo"
    path = ROOT / top / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def defined(module):
    """Public functions and classes of a file."""
    body = ast.parse(source(module).read_text()).body
    names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [name for name in names if not name.startswith("_")]


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_path_leads_to_a_file_and_hides_none(old):
    for place in f"{MOVED[old]} {ALSO.get(old, '')}".split():
        assert source(place).is_file()
    assert not source(old).is_file()


@pytest.mark.parametrize("old", LIBRARY)
def test_names_of_an_old_path_are_those_of_the_new_one_and_say_where_it_is(old):
    module, new = (importlib.import_module(f"ccnn_geo.{name}") for name in (old, MOVED[old]))
    for name in defined(MOVED[old]):
        with pytest.warns(
            DeprecationWarning, match=rf"^ccnn_geo\.{old} has moved: {name} is in {new.__name__},"
        ):
            assert getattr(module, name) is getattr(new, name)


def test_the_warning_names_the_line_that_asks():
    with pytest.warns(DeprecationWarning) as said:
        from ccnn_geo.blocks import CCNNBlock
    assert said[0].filename == __file__ and CCNNBlock is ccnn_geo.CCNNBlock


@pytest.mark.parametrize(
    ("old", "name", "new", "now"),
    [
        ("first_batch", "FirstBatchScale", "nn.conv.unit_variance", "UnitVariance"),
        ("kind_conv", "KindConv", "nn.shared_conv", "SharedConv"),
        ("sync_norm", "SyncNorm", "nn.norm.sync", "SyncBatchNorm1d"),
    ],
)
def test_names_that_have_changed_are_known_by_the_old_ones(old, name, new, now):
    module = importlib.import_module(f"ccnn_geo.{old}")
    with pytest.warns(DeprecationWarning, match=rf"{name} is now {now} and in ccnn_geo\.{new},"):
        assert getattr(module, name) is getattr(importlib.import_module(f"ccnn_geo.{new}"), now)


def test_a_module_in_two_has_the_names_of_both():
    from ccnn_geo.export.trained import read_network
    from ccnn_geo.functional.pointwise.linear import channel_linear

    with pytest.warns(DeprecationWarning):
        from ccnn_geo.channels import channel_linear as old_linear
        from ccnn_geo.predict import read_trained as old_reader
    assert (old_linear, old_reader) == (channel_linear, read_network)


@pytest.mark.parametrize(
    ("package", "new"),
    [
        *((f"datasets.{name}", f"datasets.{name}.{name}") for name in ("images", "series", "shapes")),
        ("experiments.studies", "experiments.engine.studies"),
    ],
)
def test_a_folder_that_has_the_name_of_an_old_module_has_its_names(package, new):
    name, module = defined(new)[0], importlib.import_module(f"ccnn_geo.{new}")
    with pytest.warns(DeprecationWarning, match=f"{name} has moved to {module.__name__}"):
        assert getattr(importlib.import_module(f"ccnn_geo.{package}"), name) is getattr(module, name)


@pytest.mark.parametrize(
    ("old", "name", "home"),
    [
        ("predict", "predict", "export.loading"),
        ("functional.edge_conv", "edge_conv", "functional.edge.conv"),
        ("functional.grid_conv", "grid_conv", "functional.grid.conv"),
    ],
)
def test_a_function_can_be_called_after_the_import_of_the_module_of_its_name(old, name, home, monkeypatch):
    """Which takes its place as an attribute of the package."""
    package = importlib.import_module(f"ccnn_geo.{old}".rpartition(".")[0])
    monkeypatch.setattr(package, name, getattr(package, name))  # as it was, when this test is over
    monkeypatch.setattr(importlib.import_module(f"ccnn_geo.{home}"), name, lambda *given: given)
    monkeypatch.delitem(sys.modules, f"ccnn_geo.{old}", raising=False)
    importlib.import_module(f"ccnn_geo.{old}")
    with pytest.warns(DeprecationWarning):
        assert getattr(package, name)(1, 2) == (1, 2)
    with pytest.raises(TypeError, match=r"module 'ccnn_geo\.point_plan' is not callable"):
        importlib.import_module("ccnn_geo.point_plan")()


def test_an_old_path_of_experiments_runs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [None, "--help"])  # as python -m has it for a module without a file
    new = "ccnn_geo.experiments.benchmarks.import_time"
    monkeypatch.delitem(sys.modules, new, raising=False)
    with pytest.raises(SystemExit) as end, pytest.warns(DeprecationWarning, match=f"has moved: it is {new},"):
        runpy.run_module("ccnn_geo.experiments.import_time", run_name="__main__")
    shown = capsys.readouterr().out
    assert end.value.code == 0 and "usage: import_time.py" in shown and "--repeats" in shown


def test_folders_that_are_gone_are_packages():
    assert set(PACKAGES) <= set(MOVED)
    for package in PACKAGES:
        assert importlib.import_module(f"ccnn_geo.{package}").__path__ == [ENTRY]


def test_a_module_that_is_there_wins():
    assert ccnn_geo.__path__[-1] == ENTRY
    for name in ("nn.ccnn", "io", "datasets.registry"):
        assert Path(importlib.import_module(f"ccnn_geo.{name}").__file__) == source(name)


@pytest.mark.parametrize(
    ("old", "name"), [("model", "CCNN"), ("conv", "SepFlexConv"), ("kind_conv", "KindConv")]
)
def test_pickles_of_old_paths_load(old, name):
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        found = pickle.loads(f"cccnn_geo.{old}\n{name}\n.".encode())
    assert found.__module__.startswith("ccnn_geo.nn.")


def test_what_never_was_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'ccnn_geo\.nothing'"):
        importlib.import_module("ccnn_geo.nothing")
    with pytest.raises(
        AttributeError, match=r"'ccnn_geo\.model' has moved to ccnn_geo\.nn\.ccnn, which has no 'CNN'"
    ):
        _ = importlib.import_module("ccnn_geo.model").CNN
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = importlib.import_module("ccnn_geo.datasets.images").nothing
