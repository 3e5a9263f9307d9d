"""Internal: convolutions of dense grids, directly and by FFT.

Its public functions are in :mod:`ccnn_geo.functional`.
"""

__all__: list[str] = []
