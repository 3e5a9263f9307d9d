"""Internal: from data sets to batches, a data module per family. :mod:`ccnn_geo.training` has the public names."""

__all__: list[str] = []
