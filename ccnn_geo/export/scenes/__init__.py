"""Internal: whole scenes, tile by tile, in bounded memory."""

__all__: list[str] = []
