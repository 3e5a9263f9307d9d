"""Internal: sums over the edges of a graph of neighbours.

Its public functions are in :mod:`ccnn_geo.functional`.
"""

__all__: list[str] = []
