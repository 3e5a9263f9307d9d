"""Sums over neighbours as pure functions: on edges, lattices, meshes and grids; compiled twins lie beside them."""

from ccnn_geo._base.moved import keep_old_paths

keep_old_paths(__path__)
