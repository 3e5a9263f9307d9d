"""Data sets, one file each; installed as ``ccnn_geo.datasets``."""
