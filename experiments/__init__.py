"""Configurations and reproductions, installed as ``ccnn_geo.experiments``."""

from ccnn_geo._base.moved import keep_old_paths

keep_old_paths(__path__)
