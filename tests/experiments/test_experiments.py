"""Benchmarks and conversions run at toy size; their figures are not tested here."""

import contextlib
import io
import json

import numpy as np

from ccnn_geo.experiments.benchmarks import (
    bench_grid_conv,
    bench_large_grids,
    bench_neighbors,
    bench_primitives,
    bench_step,
    mesh_accuracy,
    timing,
)
from ccnn_geo.experiments.data import psb_folder
from ccnn_geo.kernels import KERNELS


def test_psb_folder_holds_every_fourth_shape_of_a_class_for_validation(tmp_path):
    paths = ["animal/cat"] * 5 + ["vehicle/car"] * 3 + ["misc/hat"]
    pos = np.random.default_rng(0).normal(size=(9, 4, 3)).astype(np.float32)
    np.savez(tmp_path / "psb.npz", path=np.array(paths), pos=pos, normal=pos)
    psb_folder.main([str(tmp_path / "psb.npz"), str(tmp_path / "out")])
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.npy"))
    assert "validation/animal/m0003.npy" in found
    assert len(found) == 8
    assert sum(f.startswith("validation") for f in found) == 1
    assert np.array_equal(np.load(tmp_path / "out/train/vehicle/m0005.npy")[:, :3], pos[5])


def test_interleaved_cases_run_in_turn():
    order = []
    seconds = timing.interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=2)
    assert order == ["a", "b"] * 3
    assert set(seconds) == {"a", "b"}


def test_step_benchmark_says_what_it_measured(capsys):
    bench_step.main(["ccnn_4_16", "--batch=2", "--points=20", "--neighbors=4", "--steps=1", "--l2=0.1"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("step ")


def test_neighbor_benchmark_prints_a_row_per_size(capsys, monkeypatch):
    monkeypatch.setattr(bench_neighbors, "TARGETS", 64)
    monkeypatch.setattr(bench_neighbors, "interleaved", lambda cases, repeats: timing.interleaved(cases, 1))
    batches = bench_neighbors._batches
    monkeypatch.setattr(bench_neighbors, "_batches", lambda size, k: batches(size // 16, k // 16))
    bench_neighbors.main(sizes=(32, 64), counts=(4,))
    assert [line[:7] for line in capsys.readouterr().out.splitlines()[3:5]] == ["N=   32", "N=   64"]


def test_primitives_are_all_timed(capsys, monkeypatch):
    monkeypatch.setattr(bench_primitives, "EDGES", 16)
    bench_primitives.main()
    assert capsys.readouterr().out.count(" us") == 28


def test_grid_convolutions_are_timed(capsys, monkeypatch):
    monkeypatch.setattr(bench_grid_conv, "CASES", [((32,), (3,)), ((4, 5), (3, 3))])
    bench_grid_conv.main(batch=1, channels=2, lengths=(40,))
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_large_grids_are_measured_in_processes_of_their_own(capsys, monkeypatch):
    asked = []

    def here(module, *arguments):
        """The module's command in this process: each of its own would import torch for longer than it measures."""
        assert module == bench_large_grids.__name__
        asked.append(json.loads(arguments[-1]))
        answer = io.StringIO()
        with contextlib.redirect_stdout(answer):
            bench_large_grids.main(arguments)
        return json.loads(answer.getvalue().splitlines()[-1])

    monkeypatch.setattr(bench_large_grids, "peak_above_start", here)
    bench_large_grids.main(["--grids", "64", "20x21"])
    assert asked == [
        [size, window, network]
        for size in ([64], [20, 21])
        for window in bench_large_grids.WINDOWS
        for network in (False, True)
    ]
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert len(rows) == 8
    assert all(float(row[-1]) < 1e-4 for row in rows if "layer" in row)


def test_accuracy_of_the_mesh(capsys, monkeypatch):
    few = {name: KERNELS[name] for name in ("magnet", "siren")}
    monkeypatch.setattr(mesh_accuracy, "KERNELS", few)
    mesh_accuracy.main(["--order=4"], points=50, seeds=(0,))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + len(few)
    assert float(lines[-1].split("worst ")[1]) < 0.05
