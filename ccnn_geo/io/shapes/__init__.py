"""Internal: readers of shapes, one for each format. :mod:`ccnn_geo.io` has what users call."""

__all__: list[str] = []
