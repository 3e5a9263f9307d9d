"""Internal: the tasks of a training. :mod:`ccnn_geo.training` has the public names."""

__all__: list[str] = []
