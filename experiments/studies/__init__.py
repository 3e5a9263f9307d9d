"""Tables and figures of the paper, one module each."""

from ccnn_geo._base.moved import names_of

__getattr__ = names_of("ccnn_geo.experiments.engine.studies")
