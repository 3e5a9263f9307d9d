"""Pictures of trained networks: their kernels, what they see in a sample, and the course of their training.

Functions named ``draw_*`` return a matplotlib figure, those named ``*_page`` a plotly figure; :func:`save` writes both.
"""

from typing import TYPE_CHECKING

from ccnn_geo._base.lazy import lazy_names

if TYPE_CHECKING:
    from ccnn_geo.visualization.canvas import save as save
    from ccnn_geo.visualization.colorings import Coloring as Coloring
    from ccnn_geo.visualization.colorings import by_evidence as by_evidence
    from ccnn_geo.visualization.colorings import by_kernel as by_kernel
    from ccnn_geo.visualization.colorings import by_response as by_response
    from ccnn_geo.visualization.kernel_figures import draw_kernels as draw_kernels
    from ccnn_geo.visualization.kernel_pages import kernel_page as kernel_page
    from ccnn_geo.visualization.rendering import LayerKernels as LayerKernels
    from ccnn_geo.visualization.rendering import render_kernels as render_kernels
    from ccnn_geo.visualization.run_figures import draw_runs as draw_runs
    from ccnn_geo.visualization.run_figures import read_runs as read_runs
    from ccnn_geo.visualization.run_figures import run_page as run_page
    from ccnn_geo.visualization.sample_figures import draw_sample as draw_sample
    from ccnn_geo.visualization.sample_pages import sample_page as sample_page
    from ccnn_geo.visualization.sample_values import Sample as Sample
    from ccnn_geo.visualization.sample_values import class_evidence as class_evidence
    from ccnn_geo.visualization.sample_values import kernel_at as kernel_at
    from ccnn_geo.visualization.sample_values import kernel_response as kernel_response
    from ccnn_geo.visualization.samples import Trained as Trained
    from ccnn_geo.visualization.samples import sample_of_data as sample_of_data
    from ccnn_geo.visualization.samples import sample_of_file as sample_of_file

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "visualization.canvas": "save",
        "visualization.colorings": "Coloring by_evidence by_kernel by_response",
        "visualization.kernel_figures": "draw_kernels",
        "visualization.kernel_pages": "kernel_page",
        "visualization.rendering": "LayerKernels render_kernels",
        "visualization.run_figures": "draw_runs read_runs run_page",
        "visualization.sample_figures": "draw_sample",
        "visualization.sample_pages": "sample_page",
        "visualization.sample_values": "Sample class_evidence kernel_at kernel_response",
        "visualization.samples": "Trained sample_of_data sample_of_file",
    },
)
