import pytest
import torch

from ccnn_geo.visualization import run_plots


@pytest.fixture(autouse=True)
def one_thread():
    """Two busy cores and clouds of 64 points: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def no_pictures(monkeypatch):
    """Drawing takes most of the time of a small run."""
    for name in ("draw_training", "draw_test"):
        monkeypatch.setattr(run_plots, name, lambda *_: None)
