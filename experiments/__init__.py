"""Configurations and reproductions, installed as ``ccnn_geo.experiments``."""
