"""Neighbour graphs and density of points: spacings, weights of points, subsets.

Graphs are batched and ragged, and every backend returns the same ones.
"""

from ccnn_geo._base.moved import keep_old_paths
from ccnn_geo.functional.graph import Neighbors
from ccnn_geo.neighbors.build import build_neighbors, knn, knn_graph, radius, radius_graph
from ccnn_geo.neighbors.farthest import farthest_points
from ccnn_geo.neighbors.measure import cell_measure, density_measure, lattice_measure, uniform_measure
from ccnn_geo.neighbors.spacing import estimate_reach, estimate_spacing

__all__ = [
    "Neighbors",
    "build_neighbors",
    "cell_measure",
    "density_measure",
    "estimate_reach",
    "estimate_spacing",
    "farthest_points",
    "knn",
    "knn_graph",
    "lattice_measure",
    "radius",
    "radius_graph",
    "uniform_measure",
]

keep_old_paths(__path__)
