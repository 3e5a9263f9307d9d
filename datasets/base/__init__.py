"""Internal: parts that all data sets share.

:mod:`ccnn_geo.datasets` has those that a data set of your own needs.
"""

__all__: list[str] = []
