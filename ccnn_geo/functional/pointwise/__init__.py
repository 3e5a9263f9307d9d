"""Internal: linear layers over the channels of points and grids."""

__all__: list[str] = []
