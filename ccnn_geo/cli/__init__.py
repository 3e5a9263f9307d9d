"""The command line."""

from ccnn_geo.cli._main import main

__all__ = ["main"]
