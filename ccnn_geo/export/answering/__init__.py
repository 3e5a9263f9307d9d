"""Internal: how samples of each kind are prepared, answered and written; :class:`~ccnn_geo.export.Predictor` asks."""

__all__: list[str] = []
