"""Pictures of trained networks: their kernels, what they see in a sample, how their training went.

Functions named ``draw_*`` return a matplotlib figure, those named ``*_page`` a plotly one; :func:`save` writes either.
"""

from ccnn_geo.visualization.canvas import save
from ccnn_geo.visualization.colorings import Coloring, by_evidence, by_kernel, by_response
from ccnn_geo.visualization.kernel_figures import draw_kernels
from ccnn_geo.visualization.kernel_pages import kernel_page
from ccnn_geo.visualization.rendering import LayerKernels, render_kernels
from ccnn_geo.visualization.run_figures import draw_runs, read_runs, run_page
from ccnn_geo.visualization.sample_figures import draw_sample
from ccnn_geo.visualization.sample_pages import sample_page
from ccnn_geo.visualization.sample_values import Sample, class_evidence, kernel_at, kernel_response
from ccnn_geo.visualization.samples import Trained, sample_of_data, sample_of_file

__all__ = [
    "Coloring",
    "LayerKernels",
    "Sample",
    "Trained",
    "by_evidence",
    "by_kernel",
    "by_response",
    "class_evidence",
    "draw_kernels",
    "draw_runs",
    "draw_sample",
    "kernel_at",
    "kernel_page",
    "kernel_response",
    "read_runs",
    "render_kernels",
    "run_page",
    "sample_of_data",
    "sample_of_file",
    "sample_page",
    "save",
]
