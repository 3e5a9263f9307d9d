"""Internal: preparation, prediction and output for each kind of sample; :class:`~ccnn_geo.export.Predictor` uses it."""

__all__: list[str] = []
