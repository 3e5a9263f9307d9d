"""Internal: configurations, and programs that make the tables and figures of ``docs``.

The package is installed as ``ccnn_geo.experiments``; ``ccnn-geo reproduce`` and ``python -m`` run the programs.
"""

from ccnn_geo._base.moved import keep_old_paths

__all__: list[str] = []

keep_old_paths(__path__)
