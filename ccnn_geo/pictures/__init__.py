"""Pictures of trained networks: their kernels, what they see in a sample, how their training went.

Functions named ``draw_*`` return a matplotlib figure, those named ``*_page`` a plotly one; :func:`save` writes either.
"""

from ccnn_geo.figures import save
from ccnn_geo.pictures.colorings import Coloring, by_evidence, by_kernel, by_response
from ccnn_geo.pictures.kernel_figures import draw_kernels
from ccnn_geo.pictures.kernel_pages import kernel_page
from ccnn_geo.pictures.rendering import LayerKernels, render_kernels
from ccnn_geo.pictures.run_figures import draw_runs, read_runs, run_page
from ccnn_geo.pictures.sample_figures import draw_sample
from ccnn_geo.pictures.sample_pages import sample_page
from ccnn_geo.pictures.sample_values import Sample, class_evidence, kernel_at, kernel_response
from ccnn_geo.pictures.samples import Trained, sample_of_data, sample_of_file

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
