"""Internal: files of trained networks: checkpoints, folders and the hub.

:mod:`ccnn_geo.export` has the public functions.
"""

__all__: list[str] = []
