"""Names of torch-geometric, which the whole package imports from here.

On import, torch warns about code in torch-geometric. Users of this package can do nothing about that.
"""

import warnings

with warnings.catch_warnings():
    # it scripts two of its classes; since 2.14 torch warns about that in a category that all users see
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
