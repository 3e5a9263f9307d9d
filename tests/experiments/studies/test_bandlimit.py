"""Frequencies above the points' Nyquist rate make two samplings differ, those below do not."""

import math

import pytest
import torch

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import bandlimit


def test_drift_grows_with_the_frequency_and_falls_with_the_low_pass(tmp_path):
    found = {s: bandlimit.measure(*s, seed=0, folder=tmp_path) for s in [(0.5, 0), (50, 0), (2, 0), (2, 0.4)]}
    drift = {settings: numbers["drift"] for settings, numbers in found.items()}
    assert drift[0.5, 0] < 0.5 and drift[2, 0.4] < 0.7 * drift[2, 0]
    assert drift[50, 0] == pytest.approx(math.sqrt(2), rel=0.1)  # as if they knew nothing of each other
    assert found[0.5, 0]["weighted"] < 0.6 * drift[0.5, 0] and found[0.5, 0]["even"] < 0.6 * drift[0.5, 0]


def test_energy_above_a_frequency_is_that_of_a_sine():
    step = 2 / 4095
    line = torch.sin(50.3 * step * torch.arange(4096))
    above = bandlimit._spectrum(line, step)
    assert above[0] == 1 and above[40] > 0.95 and above[60] < 0.05


def test_the_report_has_its_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(bandlimit, "OMEGAS", (0.5, 2.0, 50.0))
    monkeypatch.setattr(bandlimit, "SETTINGS", [s for s in bandlimit.SETTINGS if s[0] in (0.5, 2.0, 50.0)])
    text = run_study(bandlimit.STUDY, Options("small", None, (0,)), tmp_path, say=str).read_text()
    assert "512 random points on the unit sphere are 0.16 apart: 20 rad per unit at most." in text
    assert text.count("| 2 | 0") == 4 and (tmp_path / "bandlimit.png").stat().st_size > 10_000
