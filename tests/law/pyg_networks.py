"""A cloud and networks for tests of PyG's machinery."""

import torch

from ccnn_geo import CCNN

ARGS = {"kernel_hidden": 8, "omega_0": 1.0, "window_init": 0.5}


def cloud(n=40, channels=4):
    return torch.randn(n, channels), torch.rand(n, 3) * 2 - 1


def network(readout="node", **kwargs):
    """A network that has seen its first batch."""
    model = CCNN(4, 3, 3, 8, 2, readout=readout, num_neighbors=6, **ARGS, **kwargs)
    model(*cloud(60))
    return model.eval()
