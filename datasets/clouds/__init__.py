"""Internal: clouds and molecules with targets; :mod:`ccnn_geo.datasets` has the classes."""

__all__: list[str] = []
