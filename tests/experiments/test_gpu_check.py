"""The check for GPUs, tried on the CPU at tiny sizes."""

import json

import pytest
import torch

from ccnn_geo.cli import main
from ccnn_geo.experiments.gpu_check import __main__ as gpu_check
from ccnn_geo.experiments.gpu_check import behaviour
from ccnn_geo.experiments.gpu_check.report import TITLES, report


def findings(folder):
    return [json.loads(line) for line in (folder / "findings.jsonl").read_text().splitlines()]


def test_every_section_runs_and_is_reported(tmp_path, capsys):
    folder = gpu_check.run(tmp_path / "check", "cpu", tiny=True, seconds=1e6)
    found = findings(folder)
    assert [f["section"] for f in found if "left_out" in f] == [
        "suite",
        "mixed_devices",
        "fused",
        "training",
    ]
    assert not [f for f in found if "error" in f or f.get("ok") is False]
    assert {f["section"] for f in found} == set(gpu_check.SECTIONS) == set(TITLES)
    page = (folder / "report.md").read_text()
    assert all(f"## {title}" in page for title in TITLES.values()) and "Needs a look" not in page
    assert len(capsys.readouterr().out.splitlines()) == len(found)


def test_a_wrong_result_and_a_broken_section_are_said_and_cost_no_other(tmp_path, monkeypatch):
    def broken(check):
        raise RuntimeError("no memory")

    sections = {**gpu_check.SECTIONS, "stale_window": gpu_check.Section(broken, 1)}
    monkeypatch.setattr(gpu_check, "SECTIONS", sections)
    monkeypatch.setattr(behaviour, "WAYS", {"edges": {"num_neighbors": 4, "dropout": 0.5}})
    states = iter(range(100))
    monkeypatch.setattr(torch, "equal", lambda a, b: next(states) < 0)
    only = ["stale_window", "determinism"]
    folder = gpu_check.run(tmp_path, "cpu", tiny=True, seconds=1e6, only=only)
    page = (folder / "report.md").read_text()
    assert [f["section"] for f in findings(folder)] == ["stale_window", "determinism", "determinism"]
    assert "RuntimeError: no memory" in page and "Needs a look" in page
    assert "0 of 1 checks passed, 2 findings need a look" in page


def test_what_there_is_no_time_for_is_left_out(tmp_path):
    found = findings(gpu_check.run(tmp_path, "cpu", tiny=True, seconds=20.0, only=["search", "determinism"]))
    assert [(f["section"], f["left_out"].startswith("it needs")) for f in found] == [
        ("search", True),
        ("determinism", True),
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_command_says_that_there_is_no_device(capsys):
    assert main(["gpu-check"]) == 1
    assert "expected a CUDA device, torch finds none; --device cpu --tiny" in capsys.readouterr().err


def test_cells_cannot_break_the_table():
    page = report([{"section": "suite", "seconds": 0, "last": ["a | b"], "error": "two\nlines | x"}])
    assert "| a \\| b | two lines \\| x |" in page
