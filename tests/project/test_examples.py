"""The examples run as a user runs them, at a size of seconds; the small tasks among them are learned."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from ccnn_geo.datasets import ParametricShapes

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TINY = ("--preset", "ccnn_4_16", "--points", "64", "--neighbors", "8")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """What a script prints, in a folder of its own; a process for each would import torch for longer than it trains."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)  # as Python does for a script

    def call(name: str, *args: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return call


def numbers(text: str, name: str) -> list[float]:
    return [float(n) for n in re.findall(rf"{name}: ([\d.]+)", text)]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    """A folder as a user has one: <split>/<class>/*.off."""
    root = tmp_path_factory.mktemp("shapes")
    options = {"train_per_class": 2, "test_per_class": 1, "num_samples": 128, "num_points": 128}
    return ParametricShapes(root, **options).folder


def test_every_example_is_run_here_and_is_short():
    scripts = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert scripts.keys() - {"made_data.py"} <= set(re.findall(r"\w+_pyg\.py", Path(__file__).read_text()))
    assert max(scripts.values()) < 80


def test_modelnet40_on_a_folder_of_shapes(run, shapes):
    out = run("modelnet40_pyg.py", "--dataset", "folder", "--root", shapes, "--epochs", 2, *TINY)
    losses = numbers(out, "Loss")
    assert len(losses) == 2 and losses[1] < losses[0]
    assert 0 <= numbers(out, "Test")[0] <= 1


def test_parts_are_found_and_shapes_are_stored_once(run, tmp_path):
    args = ("part_segmentation_pyg.py", "--root", tmp_path, "--shapes", 32, "--epochs", 4, *TINY)
    out = run(*args)
    stored = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("furniture_*.pt")}
    assert len(stored) == 2
    assert numbers(out, "Test")[0] > 0.6  # the commonest part alone: a half
    assert run(*args[:-1], "8").splitlines()[-1] == out.splitlines()[-1]  # what is random is seeded
    assert {p: p.stat().st_mtime_ns for p in stored} == stored


def test_time_series_tells_rising_from_falling(run, tmp_path):
    args = ("--make", 48, "--neighbors", 32, "--epochs", 8)
    out = run("time_series_pyg.py", *args)
    assert (tmp_path / "data/chirps/train/rising/0.csv").read_text().startswith("time,near,far\n")
    assert numbers(out, "AUROC")[0] > 0.8


def test_voxels_to_points_on_a_folder_of_shapes(run, shapes):
    out = run("voxels_to_points_pyg.py", "--dataset", "folder", "--root", shapes, "--epochs", 2, *TINY)
    losses = numbers(out, "Loss")
    assert len(losses) == 2 and losses[1] < losses[0]
    assert 0 <= numbers(out, "Test on voxels")[0] <= 1 and 0 <= numbers(out, "Test on points")[0] <= 1
