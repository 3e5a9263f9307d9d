"""Sums over the edges of a graph of neighbours."""
