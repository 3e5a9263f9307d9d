"""A missing package is named with its extra, wherever it is imported."""

import ast
import pickle
import re
import sys
from pathlib import Path

import pytest

from ccnn_geo._base.extras import EXTRAS, PACKAGES, MissingExtra, needs, require
from tests.fixtures.core_only import project_table

ROOT = Path(__file__).parents[2]


def test_a_missing_module_is_named_by_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError) as caught, needs("data", "read_image"):
        from PIL import Image  # noqa: F401
    assert str(caught.value) == "read_image: needs pillow: pip install 'ccnn_geo[data]'"
    assert caught.value.name == "PIL"


def test_a_package_that_is_there_but_broken_says_why():
    with pytest.raises(MissingExtra) as caught, needs("open3d", "predict"):
        raise ImportError("libX11.so.6: cannot open shared object file", name="open3d.cpu.pybind")
    assert str(caught.value) == (
        "predict: needs open3d (libX11.so.6: cannot open shared object file): pip install 'ccnn_geo[open3d]'"
    )


def test_of_nested_blocks_the_outer_one_says_who_and_the_inner_one_what():
    with pytest.raises(MissingExtra) as caught, needs("viz", "show cloud"), needs("train", "sample_of_data"):
        raise ModuleNotFoundError(name="pytorch_lightning")
    assert str(caught.value) == "show cloud: needs pytorch-lightning: pip install 'ccnn_geo[train]'"


@pytest.mark.parametrize("name", ["ccnn_geo.nothing", None])
def test_errors_of_our_own_pass(name):
    with pytest.raises(ImportError) as caught, needs("data", "read_image"):
        raise ImportError("a circle", name=name)
    assert not isinstance(caught.value, MissingExtra)


def test_all_that_is_missing_is_listed_at_once(monkeypatch):
    for name in ("pytorch_lightning", "yaml"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        MissingExtra, match=r"^train: needs pytorch-lightning, pyyaml: pip install 'ccnn_geo\[train\]'$"
    ):
        require("train", "train")
    require("train", "train", "torchmetrics")


def test_the_error_reaches_other_processes():
    error = MissingExtra("read_image", "pillow", "data", "PIL")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.name, again.remedy) == (str(error), "PIL", error.remedy)


def test_every_extra_brings_what_is_imported_of_it():
    optional = project_table()["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        listed = {name for line in optional[extra] for name in names_of(line)}
        assert set(modules.values()) <= listed, extra
    assert optional["all"] == ["ccnn_geo[train,data,viz]"]
    assert "ccnn_geo[all]" in optional["dev"] and "ccnn_geo[all]" in optional["docs"]


def names_of(line):
    """A requirement, and its extra where that is a package of its own: laspy[lazrs]."""
    return re.findall(r"^[\w-]+|(?<=\[)[\w-]+", line)


def guarded(node, inside=False):
    """Imports of extras at the level of a module, and whether each stands in a block of ``needs``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            names = [a.name for a in child.names] if isinstance(child, ast.Import) else [child.module or ""]
            yield from ((name, inside) for name in names if name.split(".")[0] in PACKAGES)
        block = isinstance(child, ast.With) and ast.unparse(child.items[0]).startswith("needs(")
        yield from guarded(child, inside or block)


@pytest.mark.parametrize("top", ["ccnn_geo", "datasets", "experiments"])
def test_no_module_imports_an_extra_unguarded(top):
    found = {}
    for path in (ROOT / top).rglob("*.py"):
        for name, inside in guarded(ast.parse(path.read_text())):
            found.setdefault(path.relative_to(ROOT).as_posix(), []).append((name, inside))
    assert all(inside for names in found.values() for _, inside in names), found
    where = {"ccnn_geo/training/lightning.py", "ccnn_geo/cli/option_help.py"} if top == "ccnn_geo" else set()
    assert set(found) == where
