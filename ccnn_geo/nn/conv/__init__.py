"""Internal: the continuous convolution, one layer for grids and points, and the paths it takes.

:mod:`ccnn_geo.nn` has it.
"""

__all__: list[str] = []
