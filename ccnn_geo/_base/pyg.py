"""Names of torch-geometric, imported from here by all of this package.

Torch warns of how torch-geometric is made, on its import. A user of this package can do nothing about that.
"""

import warnings

with warnings.catch_warnings():
    # It scripts two classes of its own. Torch warns of that, since 2.14 in a category that all users see.
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is ")
    from torch_geometric import EdgeIndex
    from torch_geometric.data import Batch, Data, Dataset
    from torch_geometric.loader import DataLoader
    from torch_geometric.nn import EdgeConv, MessagePassing, NNConv, PointNetConv, PointTransformerConv
    from torch_geometric.transforms import BaseTransform, Compose
    from torch_geometric.utils import scatter, segment

__all__ = [
    "BaseTransform",
    "Batch",
    "Compose",
    "Data",
    "DataLoader",
    "Dataset",
    "EdgeConv",
    "EdgeIndex",
    "MessagePassing",
    "NNConv",
    "PointNetConv",
    "PointTransformerConv",
    "scatter",
    "segment",
]
