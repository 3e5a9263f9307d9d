"""Normalisation of a cloud's position and size by its bounding box."""

from __future__ import annotations

import torch
from torch import Tensor

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms.normalize_sphere import Placement


class NormalizeBox(BaseTransform):
    r"""Moves the centre of the bounding box to the origin and scales its longest side to [-1, 1].

    :math:`p_i \leftarrow 2 (p_i - (l + h) / 2) / \max_d (h_d - l_d)`, with the corners l and h of the box. For centres
    of cells the box includes the whole cells: ``data.cell [1, 3]`` holds a cell's edges, and is scaled too. The centres
    then lie on the lattice with as many cells as the longest side; for that, a cloud moves by at most half a cell.

    Shapes:
        ``pos [N, D]`` -> ``pos [N, D]`` float32.

    Raises:
        ValueError: If a cloud has no points, or contains NaN or Inf.

    Example:
        >>> from torch_geometric.data import Data
        >>> NormalizeBox()(Data(pos=torch.tensor([[0.0, 0, 0], [4, 2, 0]]))).pos
        tensor([[-1.0000, -0.5000,  0.0000],
                [ 1.0000,  0.5000,  0.0000]])
    """

    def forward(self, data: Data) -> Data:
        return put_in_box(data, box_placement(data, data.pos))


def put_in_box(data: Data, place: Placement) -> Data:
    """Moves and scales a cloud and its cells."""
    data.pos = place(data.pos)
    if data.get("cell") is not None:
        data.cell = (data.cell / place.scale).float()
    return data


def box_placement(data: Data, whole: Tensor) -> Placement:
    """The placement of a cloud by the box of the points ``whole [M, D]``; the cloud may be a sample of them.

    Raises:
        ValueError: If a cloud has no points, or contains NaN or Inf.
    """
    pos, cell = data.pos.double(), data.get("cell")
    if len(pos) == 0 or not torch.isfinite(pos).all():
        raise ValueError(f"NormalizeBox needs finite points, one or more, got pos {list(pos.shape)}")
    edge = pos.new_zeros(pos.size(1)) if cell is None else cell[0].double()
    low, high = whole.double().amin(dim=0) - edge / 2, whole.double().amax(dim=0) + edge / 2
    half = (high - low).max() / 2
    half = half if half > 0 else torch.ones_like(half)
    middle = (low + high) / 2
    if cell is not None:  # an odd number of cells would lie between the cells of an even lattice
        count = ((high - low) / edge).round()
        middle = middle + edge / 2 * ((count - count.max()) % 2)
    return Placement(torch.zeros_like(middle), middle, half)
