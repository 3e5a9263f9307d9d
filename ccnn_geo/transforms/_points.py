"""Helpers shared by transforms of points."""

import torch
from torch import Generator, Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import Data


def take_points(data: Data, index: Tensor) -> Data:
    """Selects points in every tensor of ``data`` with one row per point, in place."""
    num = data.num_nodes
    for key in ("edge_index", "face"):
        if data.get(key) is not None:
            raise ValueError(f"choosing points would leave {key} dangling; remove it first, got {data}")
    check_one_device("Data", **{key: data[key] for key in data.keys() if data.is_node_attr(key)})  # noqa: SIM118
    # collect all keys first: PyG detects rows per point from tensors that are about to change
    chosen = {
        key: data[key][index]
        for key in data.keys()  # noqa: SIM118 (a Data is not a dict)
        if isinstance(data[key], Tensor)
        and data.is_node_attr(key)
        and data[key].dim() > 0
        and len(data[key]) == num
        and not (key == "y" and num == 1)  # the label of the cloud, not of its only point
    }
    if "num_nodes" in data:
        data.num_nodes = len(index)
    return data.update(chosen)


def at_least_one(num: int, name: str = "num") -> int:
    """Returns the number, or raises a ValueError below 1."""
    if num < 1:
        raise ValueError(f"{name} must be at least 1, got {num}")
    return num


def uniform(low: float, high: float, like: Tensor, num: int, generator: Generator | None) -> Tensor:
    """``num`` uniform draws with the type and device of ``like``."""
    draw = torch.rand(num, generator=generator, dtype=like.dtype, device=like.device)
    return low + (high - low) * draw
