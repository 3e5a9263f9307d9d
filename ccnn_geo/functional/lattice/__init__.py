"""Sums over points that lie on a lattice, by distinct offset."""
