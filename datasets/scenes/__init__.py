"""Scans: frames and surveys, a class for each point."""
