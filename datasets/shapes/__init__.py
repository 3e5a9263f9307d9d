"""Shapes: ModelNet, folders of meshes, parametric shapes."""
