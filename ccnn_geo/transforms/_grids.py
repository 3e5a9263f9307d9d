"""Helpers shared by transforms of grids."""

from torch import Tensor


def check_grid(name: str, grid: Tensor, axes: str) -> None:
    """Raises a ValueError unless a grid has the expected axes, without a batch axis."""
    if grid.dim() != len(axes.split(",")):
        raise ValueError(f"{name}: expected a grid [{axes}], got {list(grid.shape)}")
