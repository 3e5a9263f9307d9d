"""Internal: configurations, and programs that make the tables and figures of ``docs``.

They are installed as ``ccnn_geo.experiments``, and run by ``ccnn-geo reproduce`` and ``python -m``.
"""

from ccnn_geo._base.moved import keep_old_paths

__all__: list[str] = []

keep_old_paths(__path__)
