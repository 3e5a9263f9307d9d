"""Internal: from data sets to batches, a data module for each family. :mod:`ccnn_geo.training` has them."""

__all__: list[str] = []
