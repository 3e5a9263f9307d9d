"""Two processes over gloo compute what one process computes of all samples; a run writes its files once."""

import os
import sys
from pathlib import Path

import pytest
import torch

FAULTS = Path(__file__).parents[1] / "faults"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")


@pytest.fixture(scope="module")
def happened(tmp_path_factory) -> dict:
    """One process for all, because importing torch takes longer than everything else."""
    sys.path.append(str(FAULTS))
    from scripts import run_script

    return run_script(Path(__file__).with_name("two_processes.py"), str(tmp_path_factory.mktemp("two")))


@pytest.mark.parametrize("name", ["grid", "ragged", "unequal", "mean_max", "quadrature", "unsynchronised"])
def test_gradients_are_those_of_one_process_with_all_samples(happened, name):
    found = happened["cases"][name]
    assert found["size"] > 0.01
    assert max(found["grads"]) < 1e-10 * max(1, found["size"])
    assert max(found["state"]) < 1e-10 * max(1, found["size"])  # weights, running statistics, scales


@pytest.mark.parametrize("name", ["grid", "ragged", "unequal", "quadrature"])
def test_first_batch_statistics_are_those_of_all_processes(happened, name):
    found = happened["cases"][name]
    assert {"head.scale.moment", "stem.scale.moment"} <= set(found["scales"])
    # measured once for all layers, by the first
    measured = [v for k, v in found["scales"].items() if k != "blocks.0.conv.measure.density"]
    assert found["between"] == 0 and min(measured) > 0


def test_a_norm_of_few_many_and_half_precise_rows(happened):
    first, second = happened["norms"]
    # one row in all has no statistics of its own: (5 - 2) / sqrt(1 + eps)
    assert first["single"] == [pytest.approx([3.0] * 3, rel=1e-4)] and second["single"] == []
    for rank in (first, second):
        assert rank["unchanged"] and rank["half"] == "torch.bfloat16"
        assert rank["value"] < 1e-3 and rank["stats"] < 1e-2  # of values around 1000, in float32
    x = 1000 + torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0)).double()
    batches = [x[:3], x[3:], x[1:5]]  # of both processes
    mean = torch.stack([batch.mean((0, 2)) for batch in batches]).mean(0)
    variance = torch.stack([batch.var((0, 2)) for batch in batches]).mean(0)
    for rank in (first, second):
        assert rank["fresh"][0] == pytest.approx(mean.tolist(), abs=1e-3)
        assert rank["fresh"][1] == pytest.approx(variance.tolist(), rel=1e-3)


@pytest.mark.parametrize("name", ["two", "nodes"])
def test_the_command_in_two_processes_is_that_in_one(happened, name):
    """Of shapes on one machine, and of scenes on two: each point weighs the same, and some have no label."""
    found = happened["commands"][name]
    one = [dict(row) for row in found["one"]]
    assert found["errors"] == ["", ""]
    assert len(one) == len(found["rows"]) == 2
    for expected, row in zip(one, found["rows"], strict=True):
        measured = [key for key in expected if key.startswith("val_")]
        for key in measured:  # by running statistics of those biases
            assert row.pop(key) == pytest.approx(expected.pop(key), abs=0.02)
        assert row == pytest.approx(expected, abs=1e-4)
    assert found["weights"] < 1e-4
    first, second = found["output"]
    assert first.count("\nepoch ") == 2 and "validation (best checkpoint)" in first and second == ""
    checkpoints = ["checkpoints/best.ckpt", "checkpoints/last.ckpt", "checkpoints/previous.ckpt"]
    pictures = ["confusion.png", "curves.png", *(["scene.png"] if name == "nodes" else [])]
    assert sorted(found["files"]) == sorted(
        [*checkpoints, "config.yaml", *pictures, "metrics.csv", "results.json"]
    )
