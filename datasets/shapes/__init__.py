"""Shapes: ModelNet, folders of meshes, parametric shapes."""

from ccnn_geo._base.moved import names_of

__getattr__ = names_of("ccnn_geo.datasets.shapes.shapes")
