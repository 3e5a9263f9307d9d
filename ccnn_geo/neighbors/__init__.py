"""Which points see which: k-nearest and radius graphs, batched and ragged, the same on every backend."""

from ccnn_geo._base.moved import keep_old_paths
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.neighbors.build import build_neighbors, knn, knn_graph, radius, radius_graph

__all__ = ["Neighbors", "build_neighbors", "knn", "knn_graph", "radius", "radius_graph"]

keep_old_paths(__path__)
