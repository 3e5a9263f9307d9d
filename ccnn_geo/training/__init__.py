"""Training on Lightning: one concept per file.

Nothing is imported here, so that :mod:`ccnn_geo.predict` can use the parts that need no Lightning:
``settings``, ``pipeline``, ``seeds``.
"""

from ccnn_geo._base.moved import keep_old_paths

keep_old_paths(__path__)
