"""Internal: tables and figures of the paper, one module each."""

from ccnn_geo._base.moved import names_of

__all__: list[str] = []

__getattr__ = names_of("ccnn_geo.experiments.engine.studies")
