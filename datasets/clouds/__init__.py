"""Internal: clouds and molecules with targets; :mod:`ccnn_geo.datasets` has them."""

__all__: list[str] = []
