"""Internal: scans, frames and surveys, with a class for each point.

:mod:`ccnn_geo.datasets` has the classes.
"""

__all__: list[str] = []
