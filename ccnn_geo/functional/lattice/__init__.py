"""Internal: sums over points on a lattice, by distinct offset.

Its public functions are in :mod:`ccnn_geo.functional`.
"""

__all__: list[str] = []
