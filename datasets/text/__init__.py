"""Internal: texts: IMDB and ListOps. :mod:`ccnn_geo.datasets` has the classes."""

__all__: list[str] = []
