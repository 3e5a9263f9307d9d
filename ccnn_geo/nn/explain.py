"""The call that PyG's explainers need: features and edges as a model's first two arguments."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class EdgesFirst(nn.Module):
    """Wraps a network or layer for the call of PyG's explainers, ``model(x, edge_index, pos=pos)``.

    Layers and networks here take positions second, as PyG's own point layers do, and may find their edges themselves.
    An explainer masks given edges, so find them first: with :func:`~ccnn_geo.neighbors.knn_graph`, ``num_neighbors``
    of the network per point, or with :class:`~ccnn_geo.transforms.BuildNeighbors`. Your own models need no wrapper if
    their ``forward`` takes features and edges first, whatever layers they contain.

    Args:
        model: A :class:`~ccnn_geo.CCNN`, or a :class:`~ccnn_geo.SepFlexConv` or :class:`~ccnn_geo.FlexConv`.

    Shapes:
        ``x`` :math:`(N, C_{in})`, ``edge_index`` :math:`(2, E)`, ``pos`` :math:`(N, D)` to the model's output.

    Source: :class:`torch_geometric.explain.Explainer`, which calls ``model(x, edge_index, **kwargs)``.

    Example:
        >>> import torch
        >>> from torch_geometric.explain import Explainer, GNNExplainer
        >>> from ccnn_geo import CCNN
        >>> from ccnn_geo.neighbors import knn_graph
        >>> model = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=6, out_channels=4, num_neighbors=8)
        >>> x, pos = torch.randn(50, 6), torch.rand(50, 3)
        >>> explainer = Explainer(
        ...     EdgesFirst(model),
        ...     algorithm=GNNExplainer(epochs=2),
        ...     explanation_type="model",
        ...     node_mask_type="attributes",
        ...     edge_mask_type="object",
        ...     model_config=dict(mode="multiclass_classification", task_level="graph", return_type="raw"),
        ... )
        >>> found = explainer(x, knn_graph(pos, 8), pos=pos)
        >>> found.node_mask.shape, found.edge_mask.shape
        (torch.Size([50, 6]), torch.Size([400]))
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, **kwargs: Any) -> Tensor:
        """Calls the model with named arguments; passes on further ones such as ``batch``."""
        return self.model(x, pos=pos, edge_index=edge_index, **kwargs)
