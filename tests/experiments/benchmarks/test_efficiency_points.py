"""The comparison of layers on points runs at toy size; its figures are not tested here."""

import contextlib
import csv
import inspect
import io
import json
import resource
import runpy
import subprocess
import traceback

import numpy as np
import pytest
import torch

from ccnn_geo.experiments.benchmarks import efficiency_points, point_layers
from ccnn_geo.experiments.benchmarks.efficiency_picture import LABEL_GAP, _apart
from ccnn_geo.experiments.benchmarks.efficiency_points import Forecast, main, measure, measure_apart, parse
from ccnn_geo.experiments.benchmarks.efficiency_tables import SMOOTH, TABLES, toy
from ccnn_geo.experiments.benchmarks.point_layers import LAYERS, Case, make_cloud
from ccnn_geo.experiments.benchmarks.timing import forward_and_backward
from ccnn_geo.neighbors import build_neighbors


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch):
    """Traced as for inductor, which runs a C++ compiler twenty times; ``tests/law/test_compile_points.py`` does."""
    traced = torch.compile(inspect.unwrap(point_layers._compiled_sum), backend="aot_eager")
    monkeypatch.setattr(point_layers, "_compiled_sum", traced)


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(
        efficiency_points,
        "measure_apart",
        lambda case, args: measure(case, args.root, args.repeats, args.seconds),
    )


def read(folder):
    with (folder / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_command_writes_csv_and_picture(tmp_path, capsys, in_this_process):
    main(["--quick", "--tables", "cost", "--out", str(tmp_path)])
    rows = read(tmp_path)
    assert len(rows) == 2 * 8
    assert {row["points"] for row in rows} == {"32", "64"}
    assert all(float(row["both"]) > 0 and not row["failed"] for row in rows)
    ours = [row for row in rows if row["method"] in ("plain", "edge", "mesh")]
    assert len(ours) == 8 and all(float(row["error"]) < 1e-3 for row in ours)
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")
    assert "edge, all pairs" in capsys.readouterr().out


def test_network_takes_a_frame_and_its_absence_is_said(tmp_path, capsys, in_this_process):
    arguments = ["--quick", "--tables", "lidar", "--out", str(tmp_path)]
    main([*arguments, "--root", str(tmp_path)])
    assert f"skipped: no kitti.npz in {tmp_path} (--root)" in capsys.readouterr().out
    xyzi = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    np.savez(tmp_path / "kitti.npz", xyzi=xyzi, offset=np.array([0, 40, 50]))
    main([*arguments, "--root", str(tmp_path)])
    rows = read(tmp_path)
    assert [row["method"] for row in rows] == ["ccnn_edge", "ccnn_mesh"]
    assert all(row["points"] == "40" and float(row["both"]) > 0 for row in rows)


@pytest.mark.parametrize("method", [m for m in LAYERS if not m.startswith("ccnn")])
def test_layers_keep_the_shape_and_see_the_features(method):
    case = toy(Case(method, cloud="voxels" if method == "lattice" else "sphere", **SMOOTH))
    x, pos, batch = make_cloud(case)
    layer, run = LAYERS[method](case)
    x.requires_grad_()
    graph = None if method == "mesh" else build_neighbors(pos, batch, num_neighbors=case.neighbors)
    out = run(x, pos, batch, graph)
    assert out.shape == x.shape
    out.sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad is not None for p in layer.parameters())


def test_voxels_lie_on_one_lattice():
    _, pos, batch = make_cloud(Case("edge", batch=2, points=30, cloud="voxels"))
    steps = (pos.double() + 1) * 20 - 0.5
    assert (steps - steps.round()).abs().max() < 1e-4
    assert all(len(pos[batch == b].unique(dim=0)) == 30 for b in (0, 1))


def test_error_against_all_points_sees_what_neighbours_leave_out():
    own = measure(Case("edge", 1, 64, 8, 4, 4, omega=1.0), "", 1, 60.0)
    whole = measure(Case("edge", 1, 64, 8, 4, 4, omega=1.0, against="all"), "", 1, 60.0)
    assert own["error"] < 1e-4 < 1e-2 < whole["error"]


@pytest.fixture
def command_in_this_process(monkeypatch):
    """What a fresh process runs: one of its own would import torch for longer than it measures."""

    def here(module, *arguments, environment, timeout):
        assert module == efficiency_points.__name__ and environment is None and timeout > 30
        monkeypatch.setattr("sys.argv", [module, *arguments])
        printed, limits = io.StringIO(), resource.getrlimit(resource.RLIMIT_AS)
        try:
            with contextlib.redirect_stdout(printed):
                runpy.run_path(efficiency_points.__file__, run_name="__main__")
        except (MemoryError, RuntimeError) as error:
            raise subprocess.CalledProcessError(1, module, stderr=traceback.format_exc()) from error
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
        return json.loads(printed.getvalue().splitlines()[-1])

    monkeypatch.setattr(efficiency_points, "peak_above_start", here)
    return parse(["--quick", "--megabytes", "50"])


def test_a_process_reports_what_it_cannot(command_in_this_process):
    large = Case("plain", batch=1, points=1024, channels=64)  # kernels of 67 MB
    assert measure_apart(large, command_in_this_process) == {"failed": "more than 50 MB"}


def test_a_process_measures_what_it_is_given(command_in_this_process):
    row = measure_apart(toy(Case("edge")), command_in_this_process)
    assert row["parameters"] > 0 and row["peak"] >= 0 and "failed" not in row


@pytest.mark.parametrize(
    "error, reason",
    [
        (subprocess.TimeoutExpired("python", 1), "more than 60 s"),
        (subprocess.CalledProcessError(-9, "python", stderr=""), "ended by signal 9"),
        (subprocess.CalledProcessError(1, "python", stderr="Traceback\nValueError: no"), "ValueError: no"),
    ],
)
def test_failures_are_rows(error, reason, monkeypatch, tmp_path, capsys):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(efficiency_points, "peak_above_start", fail)
    main(["--quick", "--tables", "cost", "--methods", "NNConv", "--out", str(tmp_path)])
    assert [row["failed"] for row in read(tmp_path)] == [reason, f"as N=32: {reason}"]
    assert f"NNConv, k=8                      -  {reason}" in capsys.readouterr().out


def test_forecast_grows_with_the_work():
    forecast = Forecast(seconds=60, megabytes=1000)
    pairs = Case("edge", 1, 1000, None)
    forecast.learn(pairs, {"forward": 1.0, "both": 4.0, "peak": 10.0})
    assert forecast.refusal(Case("edge", 1, 2000, None)) is None  # 16 s
    assert forecast.refusal(Case("edge", 1, 4000, None)) == "about 64 s, by N=1,000"
    assert forecast.refusal(Case("plain", 1, 4000, None)) is None  # not seen yet
    listed = Case("edge", 1, 1000, 256)
    forecast.learn(listed, {"forward": 1.0, "both": 1.0, "peak": 100.0, "list": 200.0})
    assert forecast.refusal(Case("edge", 1, 4000, 256)) == "about 1,200 MB, by N=1,000"


def test_repeats_end_with_the_time():
    x, calls = torch.ones(2, requires_grad=True), []

    def call(x):
        calls.append(1)
        return x * 2

    assert forward_and_backward(call, x, repeats=3, seconds=60.0)["repeats"] == 3
    assert len(calls) == 4
    assert forward_and_backward(call, x, repeats=3, seconds=0.0)["repeats"] == 0


def test_list_measures_nothing(capsys, tmp_path):
    main(["--list", "--out", str(tmp_path / "out")])
    out = capsys.readouterr().out
    assert all(f"{table}: " in out for table in TABLES)
    assert not (tmp_path / "out").exists()


def test_labels_move_apart_by_as_little_as_needed():
    assert _apart([0.0, 100.0]) == [0.0, 100.0]
    moved = _apart([0.0, 1.0, 2.0, 100.0])
    assert moved == [1.0 - LABEL_GAP, 1.0, 1.0 + LABEL_GAP, 100.0]
