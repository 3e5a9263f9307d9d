"""Internal: readers of shapes, one per format. :mod:`ccnn_geo.io` has the public functions."""

__all__: list[str] = []
