"""Neighbours as part of the data."""

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.neighbors import build_neighbors


class BuildNeighbors(BaseTransform):
    r"""Sets ``data.edge_index`` to the edges from the nearest points to each point.

    :math:`j \to i` for the first :math:`k` points within the radius, ordered by :math:`(|p_i - p_j|^2, j)`.
    :class:`~ccnn_geo.CCNN` uses the edges of a ``Data`` unchanged and does not search for others. They come sorted by
    target, so that nothing needs sorting.

    As ``pre_transform`` of a data set it runs once and its edges are stored. As ``transform``, place it after all
    transforms that choose or move points; rotations, shifts and one scale for all axes may follow.

    Args:
        num_neighbors: number of neighbours k, as in the network; None for no limit.
        radius: largest distance, in units of ``pos``; None for no limit.
        loop: whether a point is a neighbour of itself.

    Shapes:
        ``pos [N, D]`` -> ``edge_index [2, E]``, int64, 16 bytes per edge.

    Raises:
        TypeError, ValueError: as in :func:`~ccnn_geo.neighbors.build_neighbors`.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = BuildNeighbors(8)(Data(pos=torch.rand(100, 3)))
        >>> data.edge_index.shape
        torch.Size([2, 800])
    """

    def __init__(
        self, num_neighbors: int | None = 256, radius: float | None = None, loop: bool = True
    ) -> None:
        self.num_neighbors, self.radius, self.loop = num_neighbors, radius, loop

    def forward(self, data: Data) -> Data:
        batch = data.get("batch")
        found = build_neighbors(data.pos, batch, self.num_neighbors, self.radius, loop=self.loop)
        data.edge_index = found.edge_index
        return data

    def __repr__(self) -> str:
        more = f", radius={self.radius:g}" if self.radius is not None else ""
        return f"{type(self).__name__}({self.num_neighbors}{more}{'' if self.loop else ', loop=False'})"
