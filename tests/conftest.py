"""Fixtures: every test starts from one seed, and runs on each device at hand."""

import pytest
import torch

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def pytest_report_header():
    return f"devices: {', '.join(DEVICES)}" + (
        "" if "cuda" in DEVICES else " (no GPU here: nothing runs on one)"
    )


def pytest_make_parametrize_id(val, argname):
    """Archives hold the time they were made at: named by their bytes, tests would differ between workers."""
    return f"{argname}_{len(val)}_bytes" if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(params=DEVICES)
def device(request):
    return torch.device(request.param)


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param
