"""Norms of features on points and grids."""
