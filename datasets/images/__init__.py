"""Images: MNIST, CIFAR, STL-10, Pathfinder, folders."""

from ccnn_geo._base.moved import names_of

__getattr__ = names_of("ccnn_geo.datasets.images.images")
