"""Internal: checks everything that can be known only on a GPU, and writes a report.

``python -m ccnn_geo.experiments.gpu_check`` and ``ccnn-geo gpu-check`` run it.
"""

__all__: list[str] = []
