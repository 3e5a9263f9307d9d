"""What transforms of grids share."""

from torch import Tensor


def check_grid(name: str, grid: Tensor, axes: str) -> None:
    """Raises ValueError unless a grid has the axes of its kind, and no batch of them."""
    if grid.dim() != len(axes.split(",")):
        raise ValueError(f"{name}: expected a grid [{axes}], got {list(grid.shape)}")
