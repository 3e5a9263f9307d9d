"""The wheel: where its modules land, and what importing it does not pull in."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("build", reason="building a wheel needs the dev extra (build)")
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"  # a copy, so that the build leaves nothing in the tree
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_data_sets_are_inside_the_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert tops == {"ccnn_geo"}
    assert "ccnn_geo/datasets/__init__.py" in names
    assert "ccnn_geo/experiments/demo.yaml" in names


def test_the_wheel_says_that_it_is_typed(wheel):
    assert "ccnn_geo/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_every_module_of_the_tree_is_packed(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for path in tracked.stdout.split():
        top = path.split("/")[0]
        if top in ("datasets", "experiments"):
            path = f"ccnn_geo/{path}"
        if path.startswith("ccnn_geo/"):
            assert path in names


def test_import_is_light():
    code = (
        "import sys, ccnn_geo, ccnn_geo.kernels, ccnn_geo.neighbors, ccnn_geo.datasets, ccnn_geo.transforms; "
        "heavy = ['pytorch_lightning', 'trimesh', 'open3d', 'matplotlib', 'scipy', 'torch_cluster']; "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
