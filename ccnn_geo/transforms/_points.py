"""What transforms of points share."""

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data


def take_points(data: Data, index: Tensor) -> Data:
    """Selects points in every tensor of ``data`` with one row per point, in place."""
    num = data.num_nodes
    for key in ("edge_index", "face"):
        if data.get(key) is not None:
            raise ValueError(f"choosing points would leave {key} dangling; remove it first, got {data}")
    for key in list(data.keys()):
        value = data[key]
        if key == "y" and num == 1:  # the label of the cloud, not of its only point
            continue
        if isinstance(value, Tensor) and data.is_node_attr(key) and value.dim() > 0 and len(value) == num:
            data[key] = value[index]
    return data


def at_least_one(num: int) -> int:
    if num < 1:
        raise ValueError(f"num must be at least 1, got {num}")
    return num


def uniform(low: float, high: float, like: Tensor, num: int, generator: Generator | None) -> Tensor:
    """``num`` uniform draws with the type and device of ``like``."""
    draw = torch.rand(num, generator=generator, dtype=like.dtype, device=like.device)
    return low + (high - low) * draw
