"""Fixtures: every test starts from one seed, and runs on each device at hand."""

import pytest
import torch

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def pytest_report_header():
    return f"devices: {', '.join(DEVICES)}" + (
        "" if "cuda" in DEVICES else " (no GPU here: nothing runs on one)"
    )


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(params=DEVICES)
def device(request):
    return torch.device(request.param)


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param
