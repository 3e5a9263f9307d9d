"""Readers of shapes, one for each format."""
