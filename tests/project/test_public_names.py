"""Names of the package: imported when they are used, whichever way they are asked for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ccnn_geo

ROOT = Path(__file__).parents[2]


def answers(code):
    """Lines that a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_the_package_alone_imports_nothing():
    code = "import sys, ccnn_geo; print(ccnn_geo.__version__, [m for m in ('torch', 'numpy') if m in sys.modules])"
    assert answers(code) == [f"{ccnn_geo.__version__} []"]


def test_every_public_name_is_there():
    for name in ccnn_geo.__all__:
        assert getattr(ccnn_geo, name) is not None and name in dir(ccnn_geo)
    with pytest.raises(AttributeError, match="module 'ccnn_geo' has no attribute 'CNN'"):
        _ = ccnn_geo.CNN
    assert ccnn_geo.CCNN.__module__ == "ccnn_geo.nn.ccnn"


def test_predict_is_the_function_and_its_module_whichever_is_imported_first():
    module_first = (
        "import ccnn_geo.predict as m; from ccnn_geo import predict as f; print(f is m, callable(f))"
    )
    assert answers(module_first) == ["True True"]
    from ccnn_geo import predict
    from ccnn_geo.export import ShapeClassifier

    assert callable(predict) and callable(ShapeClassifier)
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
