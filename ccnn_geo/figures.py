"""Figures without a display, and the files they are written to."""

from __future__ import annotations

from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccnn_geo.datasets.storage import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIVERGING = "RdBu_r"
"""Blue below zero, red above, in both libraries."""
DPI = 110


def canvas(width: float, height: float) -> Figure:
    """An empty matplotlib figure of so many inches, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plotly_graphs() -> Any:
    """The module ``plotly.graph_objects``.

    Raises:
        ValueError: If plotly is not installed.
    """
    try:
        import plotly.graph_objects as graphs
    except ModuleNotFoundError as error:
        raise ValueError("--html needs plotly: pip install 'ccnn_geo[viz]'") from error
    return graphs


def save(figure: Any, path: str | PathLike[str]) -> Path:
    """Writes a matplotlib figure as PNG, a plotly one as a page that needs no network.

    Args:
        figure: Of one of the functions of this package.
        path: The file; it is complete or absent.

    Returns:
        The file.
    """
    path = Path(path)
    if hasattr(figure, "savefig"):
        write_atomic(path, partial(figure.savefig, format="png", dpi=DPI))
    else:
        page = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
        write_atomic(path, lambda file: file.write(page.encode()))
    return path
