"""A network in a folder, and clouds for it to answer."""

from pathlib import Path

import numpy as np
import torch

from ccnn_geo import CCNN
from ccnn_geo.export import save_classifier
from ccnn_geo.transforms import ShapePipeline

PIPELINE = ShapePipeline(num_points=32, num_samples=64, features=("constant", "pos"))
FILES = [f"clouds/{i:02d}.npy" for i in range(24)]


def write_model() -> None:
    """A network in ``model``, 24 clouds in ``clouds``, in the working folder."""
    torch.manual_seed(0)
    network = CCNN(4, 2, 3, hidden_channels=4, num_blocks=0, num_neighbors=8)
    network(torch.randn(40, 4), torch.rand(40, 3), torch.arange(40) // 20)  # its scales are set now
    save_classifier("model", network.eval(), ["cup", "mug"], {}, pipeline=PIPELINE.settings())
    Path("clouds").mkdir()
    for name in FILES:
        np.save(name, np.random.default_rng(int(name[7:9])).normal(size=(60, 3)))
