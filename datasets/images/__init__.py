"""Internal: images: MNIST, CIFAR, STL-10, Pathfinder and folders.

:mod:`ccnn_geo.datasets` has the classes.
"""

from ccnn_geo._base.moved import names_of

__all__: list[str] = []

__getattr__ = names_of("ccnn_geo.datasets.images.images")
