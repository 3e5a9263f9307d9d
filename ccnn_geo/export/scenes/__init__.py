"""Internal: whole scenes, tile by tile, in memory that does not grow with them."""

__all__: list[str] = []
