"""Internal: files of trained networks, that is checkpoints, folders and the hub.

:mod:`ccnn_geo.export` is their public face.
"""

__all__: list[str] = []
