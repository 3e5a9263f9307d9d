"""A value object with the source points that each target point sums over."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ccnn_geo._base.pyg import EdgeIndex


@dataclass(frozen=True, eq=False, repr=False)
class Neighbors:
    """Edges from source to target points, listed target by target.

    The edges of target ``i`` are ``edge_index[:, ptr[i]:ptr[i + 1]]``. :func:`build_neighbors` orders them by
    distance, then by source index; :meth:`from_edge_index` keeps their order.

    Args:
        edge_index: source (row 0) and target (row 1) of each edge, as in PyG.
        ptr: offsets of the targets' edges.
        num_src: number of source points.
        num_dst: number of target points.

    Shapes:
        - ``edge_index``: ``[2, E]``, int64
        - ``ptr``: ``[num_dst + 1]``, int64

    Raises:
        TypeError: If they have another type, because compiled code would read them as int64.

    Example:
        >>> found = Neighbors.from_edge_index(torch.tensor([[0, 1, 2], [1, 0, 1]]), 3, 3)
        >>> found.edge_index.tolist(), found.ptr.tolist()
        ([[1, 0, 2], [0, 1, 1]], [0, 1, 3, 3])
    """

    edge_index: Tensor
    ptr: Tensor
    num_src: int
    num_dst: int

    def __post_init__(self) -> None:
        if isinstance(self.edge_index, EdgeIndex):
            # it has no memory of its own for compiled code to read
            object.__setattr__(self, "edge_index", self.edge_index.as_tensor())
        if self.edge_index.dtype != torch.int64 or self.ptr.dtype != torch.int64:
            raise TypeError(
                f"Neighbors: expected edge_index and ptr of int64, got {self.edge_index.dtype} and {self.ptr.dtype}"
            )

    @classmethod
    def from_edge_index(cls, edge_index: Tensor, num_src: int, num_dst: int) -> "Neighbors":
        """Sort any edge list by target, keeping the order within each target.

        Args:
            edge_index: source (row 0) and target (row 1) of each edge, in any order; a tensor or PyG's
                :class:`torch_geometric.EdgeIndex`.
            num_src: number of source points.
            num_dst: number of target points.

        Shapes:
            - ``edge_index``: ``[2, E]``, int32 or int64

        Raises:
            TypeError: when ``edge_index`` is not an integer tensor, or a number of points is not an int.
            ValueError: when ``edge_index`` is not ``[2, E]`` or names a point that does not exist.
        """
        if not isinstance(edge_index, Tensor):
            raise TypeError(f"edge_index must be a tensor [2, E], got {type(edge_index).__name__}")
        if isinstance(edge_index, EdgeIndex):
            edge_index = edge_index.as_tensor()
        if edge_index.layout != torch.strided:
            raise TypeError(
                "edge_index must be a dense tensor [2, E], source then target, got a sparse matrix "
                f"{list(edge_index.shape)}; of an adj_t that is torch_geometric.utils.to_edge_index(adj_t)[0].flip(0)"
            )
        if edge_index.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"edge_index must be int64 or int32, got {edge_index.dtype}")
        if edge_index.dim() != 2 or edge_index.size(0) != 2:
            raise ValueError(f"edge_index must have shape [2, E], got {list(edge_index.shape)}")
        for row, name, size in ((0, "num_src", num_src), (1, "num_dst", num_dst)):
            if isinstance(size, bool) or not isinstance(size, int):
                raise TypeError(f"{name} must be an int, got {size!r}")
            if size < 0:
                raise ValueError(f"{name} must not be negative, got {size}")
            if edge_index.size(1) == 0:
                continue
            low, high = map(int, edge_index[row].aminmax())
            if low < 0 or high >= size:
                raise ValueError(
                    f"row {row} of edge_index must lie in [0, {name}) = [0, {size}), "
                    f"got indices from {low} to {high}"
                )
        edge_index = edge_index.long()
        target = edge_index[1]
        if bool((target[1:] < target[:-1]).any()):
            target, order = torch.sort(target, stable=True)
            edge_index = torch.stack((edge_index[0].index_select(0, order), target))
        points = torch.arange(num_dst + 1, device=target.device)
        return cls(edge_index, torch.searchsorted(target.contiguous(), points), num_src, num_dst)

    def to_edge_index(self) -> EdgeIndex:
        """The edges as PyG's :class:`torch_geometric.EdgeIndex`, sorted by target, with its column pointers.

        ``Neighbors.from_edge_index(e, *e.sparse_size())`` has the same edges in the same order. PyG layers that
        multiply by sparse matrices get these edges in compressed form (``get_csc()``) without sorting.

        Example:
            >>> edges = Neighbors(torch.tensor([[2, 0], [0, 1]]), torch.tensor([0, 1, 2]), 3, 2).to_edge_index()
            >>> edges.sparse_size(), edges.is_sorted_by_col, edges.get_csc()[0][0].tolist()
            ((3, 2), True, [0, 1, 2])
        """
        edges = EdgeIndex(self.edge_index, sparse_size=(self.num_src, self.num_dst), sort_order="col")
        return edges.fill_cache_(no_transpose=True)

    @property
    def num_edges(self) -> int:
        """Number of edges E."""
        return self.edge_index.size(1)

    @property
    def degree(self) -> Tensor:
        """Number of neighbours of each target, ``[num_dst]``."""
        return self.ptr.diff()

    @property
    def device(self) -> torch.device:
        """Device of the edges."""
        return self.edge_index.device

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Neighbors":
        """Copy to a device; returns itself if already there."""
        if torch.device(device) == self.device:
            return self
        edge_index = self.edge_index.to(device, non_blocking=non_blocking)
        return Neighbors(
            edge_index, self.ptr.to(device, non_blocking=non_blocking), self.num_src, self.num_dst
        )

    def of(self, targets: Tensor) -> "Neighbors":
        """The edges of some targets ``[T]``, renumbered from 0."""
        ptr = torch.cat([self.ptr.new_zeros(1), self.degree.index_select(0, targets).cumsum(0)])
        number = torch.arange(targets.numel(), device=self.device).repeat_interleave(ptr.diff())
        edges = (self.ptr.index_select(0, targets) - ptr[:-1]).index_select(0, number)
        edges += torch.arange(number.numel(), device=self.device)
        source = self.edge_index[0].index_select(0, edges)
        return Neighbors(torch.stack((source, number)), ptr, self.num_src, targets.numel())

    def __repr__(self) -> str:
        return f"Neighbors(num_src={self.num_src}, num_dst={self.num_dst}, num_edges={self.num_edges})"
