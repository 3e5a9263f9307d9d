"""Internal: sums over scattered points through a regular mesh.

Its public functions are in :mod:`ccnn_geo.functional`.
"""

__all__: list[str] = []
