"""What is built and installed: where its modules land, that it works, and what importing it does not pull in."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the source distribution, and the wheel that is built from it alone."""
    pytest.importorskip("build", reason="building a wheel needs the dev extra (build)")
    out = tmp_path_factory.mktemp("built")
    source = out / "source"  # a copy, so that the build leaves nothing in the tree
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)],
        check=True,
        capture_output=True,
    )
    return out


@pytest.fixture(scope="module")
def wheel(built):
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder that holds the wheel's files alone, as pip lays them out."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def test_the_source_distribution_has_what_a_build_needs(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in ("LICENSE", "README.md", "pyproject.toml", "datasets/__init__.py", "experiments/demo.yaml"):
        assert name in names
    assert {"ccnn_geo/functional/edge/edge_magnet.c", "ccnn_geo/cli/pages/train.help.txt"} <= names


def test_a_checkout_that_shadows_the_installed_package_finds_its_parts(imports):
    found = [str(Path(file).relative_to(ROOT)) for file in imports["checkout"]["files"]]
    assert found == ["ccnn_geo/__init__.py", "datasets/__init__.py", "experiments/benchmarks/timing.py"]
    assert imports["checkout"]["error"] == "No module named 'ccnn_geo.nothing'"


def test_reading_and_sampling_import_no_more_than_torch_geometric(imports):
    """Which itself may import requests and scipy."""
    assert imports["checkout"]["brought"] == []


def test_nothing_but_the_package_is_installed(installed):
    tops = {path.name for path in installed.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"ccnn_geo", "bin"}


def test_data_sets_are_inside_the_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert tops == {"ccnn_geo"}
    assert "ccnn_geo/datasets/__init__.py" in names
    assert {"ccnn_geo/experiments/demo.yaml", "ccnn_geo/cli/pages/versions.txt"} <= set(names)


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


# Each step in one process, which starts with nothing, and one in its fork: importing torch takes longer than all else.
IMPORTS = """
import contextlib, io, json, os, sys, warnings

def loaded(*names):
    return [name for name in names if name in sys.modules]

found, filters, hooks = {}, list(warnings.filters), list(sys.path_hooks)
import ccnn_geo
found["same filters"] = warnings.filters == filters
warnings.simplefilter("ignore")  # what comes now may warn

def ours():
    return sorted(name for name in sys.modules if name.split(".")[0] == "ccnn_geo")

found["alone"] = ours()
import torch_geometric.data, torch_geometric.transforms

def checkout():
    # what a Python finds that sees the checkout before the installed package
    theirs = set(sys.modules)
    for name in ours():
        del sys.modules[name]
    sys.path_hooks[:] = hooks
    sys.path_importer_cache.clear()
    sys.path.insert(0, sys.argv[2])
    sys.meta_path = [f for f in sys.meta_path if "Editable" not in repr(f)]  # this environment's own
    import ccnn_geo.io, ccnn_geo.transforms, ccnn_geo.datasets
    brought = sorted({"trimesh", "open3d", "scipy", "pooch", "requests"} & set(sys.modules) - theirs)
    import ccnn_geo.experiments.benchmarks.timing as timing
    try:
        import ccnn_geo.nothing
    except ImportError as error:
        said = str(error)
    files = [ccnn_geo.__file__, ccnn_geo.datasets.__file__, timing.__file__]
    return {"files": files, "brought": brought, "error": said}

reader, writer = os.pipe()
if not (child := os.fork()):  # before our layers are imported, and after torch: that takes longer than both
    try:
        os.write(writer, json.dumps(checkout()).encode())
    finally:
        sys.stderr.flush()
        os._exit(1)
os.close(writer)
with open(reader) as answer:
    text = answer.read()
os.waitpid(child, 0)
found["checkout"] = json.loads(text or "null")

from ccnn_geo import CCNN, SepFlexConv
found["layers"] = ours()

import ccnn_geo.datasets
found["data sets"] = loaded("ccnn_geo.datasets.images.cifar", "ccnn_geo.datasets.scenes.lidar", "PIL", "trimesh")
from ccnn_geo.datasets import CIFAR10
try:
    ccnn_geo.datasets.ImageNet
except AttributeError as error:
    found["no data set"] = str(error)

import ccnn_geo.kernels, ccnn_geo.neighbors, ccnn_geo.transforms
heavy = ["pytorch_lightning", "lightning", "trimesh", "open3d", "matplotlib"]
found["package"] = loaded(*heavy, "scipy", "torch_cluster")

import numpy, torch
from ccnn_geo.export import predict
torch.manual_seed(0)
sizes = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 0.5, "num_neighbors": 8}
network = ccnn_geo.CCNN(6, 2, 3, **sizes)
network(torch.randn(60, 6), torch.rand(60, 3))
given = {"network": sizes, "classes": ["ball", "disc"], "in_channels": 6}
given["data"] = {"dataset": "folder", "num_points": 48, "num_samples": 64}
weights = {f"network.{name}": value for name, value in network.state_dict().items()}
torch.save({"state_dict": weights, "hyper_parameters": given}, sys.argv[1])
answer = predict(sys.argv[1], numpy.random.default_rng(0).normal(size=(50, 3)))
found["probability"] = sum(answer.probabilities.values())
found["predict"] = loaded(*heavy)

import ccnn_geo.experiments
from ccnn_geo.cli import main
found["file"] = ccnn_geo.__file__
found["shape"] = list(SepFlexConv(2, 3, dim=3)(torch.randn(9, 2), torch.rand(9, 3)).shape)
found["commands"] = []
for line in ("data list", "info ccnn_4_16", "info demo"):  # the last is a packaged file
    with contextlib.redirect_stdout(io.StringIO()) as output:
        found["commands"].append([main(line.split()), output.getvalue()])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def imports(installed, tmp_path_factory):
    """What importing the installed package, and then its parts, brings along, and that they work, without the tree."""
    folder = tmp_path_factory.mktemp("imports")
    alone = ["-P"] if sys.version_info >= (3, 11) else []
    silent = ["-W", "error:`torch.jit"]  # what torch-geometric sets off
    done = subprocess.run(
        [sys.executable, *alone, *silent, "-c", IMPORTS, str(folder / "a.ckpt"), str(ROOT)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


def test_the_installed_package_works_without_the_tree(imports, installed):
    assert Path(imports["file"]).is_relative_to(installed)
    assert imports["shape"] == [9, 3]
    codes, (datasets, preset, packaged) = zip(*imports["commands"], strict=True)
    assert codes == (0, 0, 0)
    assert "modelnet40" in datasets and "6,545" in preset and "total" in packaged


READERS = (
    "ccnn_geo.io.shapes.",
    "ccnn_geo.io.image",
    "ccnn_geo.io.wav",
    "ccnn_geo.io.las",
    "ccnn_geo.io.csv",
)
ROOMS = ("training", "datasets", "transforms", "export", "visualization", "cli", "experiments")


def test_import_loads_few_modules(imports):
    assert len(imports["alone"]) <= 10
    assert {name.split(".")[1] for name in imports["alone"][1:]} == {"_base"}


def test_layers_and_networks_load_no_reader_and_nothing_of_training(imports):
    """But for the class of errors that files raise."""
    layers = imports["layers"]
    assert [name for name in layers if name.startswith(READERS)] == ["ccnn_geo.io.shapes.shape"]
    assert [name for name in layers if name.startswith(tuple(f"ccnn_geo.{room}" for room in ROOMS))] == []
    assert len(layers) <= 140


def test_import_is_light(imports):
    assert imports["package"] == []


def test_import_is_silent_and_leaves_no_filter(imports):
    assert imports["same filters"] is True


def test_importing_the_package_imports_no_data_set(imports):
    assert imports["data sets"] == [] and "no attribute 'ImageNet'" in imports["no data set"]


def test_predicting_needs_no_lightning(imports):
    assert imports["predict"] == [] and imports["probability"] == pytest.approx(1)


def test_all_files_state_the_same_version():
    stated = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert f"version: {stated}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == stated
