import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Two busy cores and clouds of 64 points: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
