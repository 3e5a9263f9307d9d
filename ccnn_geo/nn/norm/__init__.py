"""Internal: norms of features on points and grids. :mod:`ccnn_geo.nn` has them."""

__all__: list[str] = []
