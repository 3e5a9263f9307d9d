"""Calibration at toy size: it writes what the package reads. Its figures are not tested here, but its fit is."""

import math
from dataclasses import asdict, replace

import pytest
import torch

from ccnn_geo._base.device_costs import CPU, costs_file, read_costs
from ccnn_geo.experiments.benchmarks import calibrate
from ccnn_geo.experiments.benchmarks.calibrate import Case, fitted


def test_figures_of_this_machine_are_written_where_they_are_looked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(calibrate, "GRIDS", [((64,), (9,)), ((8, 8), (3, 3)), ((4, 4, 4), (3, 3, 3))])
    calibrate.main(["--device", "cpu", "--scale", "0.004", "--repeats", "1", "--out", str(tmp_path)])
    path = costs_file(torch.device("cpu"), tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(path) and len(said) == 2 + len(asdict(CPU))
    found = asdict(read_costs(path.read_text()))
    assert all(math.isfinite(value) and value > 0 for value in found.values())


def test_a_fit_finds_the_figures_that_cases_were_made_of(monkeypatch):
    true = replace(CPU, listed=40.0, filter=0.5)
    terms = [(10, 100), (30, 20), (5, 1000)]
    cases = [Case(lambda c, t=t: 1.0 + c.listed * t[0] + c.filter * t[1], lambda: None) for t in terms]
    seconds = iter([case.predict(true) for case in cases])
    monkeypatch.setattr(calibrate, "interleaved", lambda cases, repeats: {"": next(seconds)})
    found = fitted(CPU, ("listed", "filter"), cases, 1)
    assert asdict(found) == pytest.approx(asdict(true), rel=1e-3)


def test_nothing_is_free(monkeypatch):
    terms = [(1e3, 0), (1e3, 1e3)]  # the second figure takes no time
    cases = [Case(lambda c, t=t: c.listed * t[0] + c.filter * t[1], lambda: None) for t in terms]
    monkeypatch.setattr(calibrate, "interleaved", lambda cases, repeats: {"": 1e-3})
    found = fitted(CPU, ("listed", "filter"), cases, 1)
    assert found.filter == pytest.approx(calibrate.LEAST * 1e-6) and found.listed > 10 * found.filter


@pytest.mark.parametrize("given", [["--scale", "0"], ["--repeats", "0"]])
def test_sizes_are_checked(given, capsys):
    with pytest.raises(SystemExit):
        calibrate.main(["--device", "cpu", *given])
    assert "expected --scale > 0 and --repeats >= 1" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_an_error_of_one_line(capsys):
    with pytest.raises(SystemExit):
        calibrate.main(["--device", "nonsense"])
    assert "expected a device that torch has here, got --device nonsense" in capsys.readouterr().err
