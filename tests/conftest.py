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


@pytest.fixture(scope="module")
def classifier():
    """A network with fixed weights that has seen a cloud, as ``ccnn_geo.predict`` calls it."""
    from ccnn_geo import CCNN
    from ccnn_geo.predict import ShapeClassifier
    from ccnn_geo.training.pipeline import ShapePipeline

    torch.manual_seed(0)
    sizes = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 0.5, "window_init": 0.3}
    network = CCNN(6, 2, 3, num_neighbors=8, **sizes)
    network(torch.randn(64, 6), torch.rand(64, 3))
    return ShapeClassifier(network.eval(), ("cup", "table"), ShapePipeline(num_points=32, num_samples=64))
