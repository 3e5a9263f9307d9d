"""Internal: recordings: Speech Commands and folders of wav files.

:mod:`ccnn_geo.datasets` has the classes.
"""

__all__: list[str] = []
