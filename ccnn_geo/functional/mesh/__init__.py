"""Sums over scattered points through a regular mesh."""
