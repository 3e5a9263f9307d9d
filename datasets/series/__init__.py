"""Series with gaps: CSV folders and PhysioNet 2012."""

from ccnn_geo._base.moved import names_of

__getattr__ = names_of("ccnn_geo.datasets.series.series")
