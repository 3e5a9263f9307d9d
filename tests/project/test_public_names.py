"""Names that users may rely on: listed, there, documented, and imported when they are used."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ccnn_geo

ROOT = Path(__file__).parents[2]

FOLDERS = {
    ".".join(("ccnn_geo", *parts[(parts[0] == "ccnn_geo") :])): ROOT.joinpath(*parts)
    for top in ("ccnn_geo", "datasets", "experiments")
    for parts in sorted({path.parent.relative_to(ROOT).parts for path in (ROOT / top).rglob("*.py")})
}
"""Where each package is."""

PUBLIC = [
    name
    for name in [*FOLDERS, "ccnn_geo.testing"]
    if not (importlib.import_module(name).__doc__ or "").startswith("Internal: ")
]


@pytest.fixture(autouse=True)
def as_in_a_fresh_process(monkeypatch):
    """Who has imported the old module ``ccnn_geo.predict`` has it in the place of the function."""
    monkeypatch.delattr(ccnn_geo, "predict", raising=False)


def tree(name):
    path = FOLDERS.get(name)
    return ast.parse((path / "__init__.py" if path else ROOT / "ccnn_geo" / "testing.py").read_text())


def answers(code):
    """Lines that a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_the_package_alone_imports_nothing():
    code = "import sys, ccnn_geo; print(ccnn_geo.__version__, [m for m in ('torch', 'numpy') if m in sys.modules])"
    assert answers(code) == [f"{ccnn_geo.__version__} []"]


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError, match="module 'ccnn_geo' has no attribute 'CNN'"):
        _ = ccnn_geo.CNN
    with pytest.raises(AttributeError, match=r"module 'ccnn_geo\.nn' has no attribute 'CNN'"):
        _ = importlib.import_module("ccnn_geo.nn").CNN
    assert ccnn_geo.CCNN.__module__ == "ccnn_geo.nn.ccnn"


@pytest.mark.parametrize("name", FOLDERS)
def test_every_folder_says_what_users_may_rely_on(name):
    """Or that it is internal."""
    package = importlib.import_module(name)
    assert (package.__doc__ or "").strip().endswith(".") and isinstance(package.__all__, list)
    assert (package.__all__ == []) == package.__doc__.startswith("Internal: ")
    for public in package.__all__:
        assert getattr(package, public) is not None and public in dir(package)


def test_the_rooms_of_users():
    rooms = "cli datasets export functional io kernels neighbors nn testing training transforms visualization"
    assert set(PUBLIC) == {"ccnn_geo", *(f"ccnn_geo.{room}" for room in rooms.split())}


@pytest.mark.parametrize("name", PUBLIC)
def test_names_that_are_imported_late_are_known_to_type_checkers(name):
    """That is, the list of homes and the imports for type checkers say the same."""
    calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
    homes = [call.args[1] for call in calls if getattr(call.func, "id", "") == "lazy_names"]
    late = {
        (f"ccnn_geo.{module}", public)
        for given in homes
        for module, names in ast.literal_eval(given).items()
        for public in names.split()
    }
    typed = {
        (node.module, alias.name)
        for block in tree(name).body
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in block.body
        for alias in node.names
    }
    assert typed == late


def test_the_reference_has_all_public_names_once_and_no_others():
    """An object with two names is documented by the shorter one."""
    reference = "".join(page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/api/*.md")))
    listed = re.findall(r"^\.\. (?:auto\w+|py:\w+):: ([\w.]+)$", reference, re.M)
    homes = {}
    for package in sorted(PUBLIC, key=len):
        for name in importlib.import_module(package).__all__:
            thing = getattr(importlib.import_module(package), name)
            homes.setdefault((name, id(thing)), f"{package}.{name}")
    assert sorted(listed) == sorted(home for home in homes.values() if not home.endswith("__version__"))


def test_predict_is_the_function_and_its_module_whichever_is_imported_first():
    module_first = (
        "import ccnn_geo.predict as m; from ccnn_geo import predict as f; print(f is m, callable(f))"
    )
    assert answers(module_first) == ["True True"]
    from ccnn_geo import predict
    from ccnn_geo.export import Predictor

    assert callable(predict) and callable(Predictor)
    with pytest.raises(FileNotFoundError, match=r"nothing\.ckpt"):
        predict("nothing.ckpt", "a.off")


def test_one_module_imports_torch_geometric():
    """Its import warns, which that module keeps from users."""
    importing = set()
    for folder in ("ccnn_geo", "datasets", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if any(name.split(".")[0] == "torch_geometric" for name in names):
                    importing.add(path.relative_to(ROOT).as_posix())
    assert importing == {"ccnn_geo/_base/pyg.py"}
