"""Damaged files for all readers."""
