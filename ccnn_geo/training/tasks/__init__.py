"""Internal: what a network is trained for. :mod:`ccnn_geo.training` has the names."""

__all__: list[str] = []
