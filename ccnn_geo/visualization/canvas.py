"""Figures without a display, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccnn_geo._base.extras import needs
from ccnn_geo.io.files.storage import write_atomic
from ccnn_geo.visualization.style import in_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DIVERGING = "RdBu_r"
"""Blue below zero, red above, in both libraries."""
DPI = 110
TITLE, MENU, PANEL_TITLE = 52, 42, 26
"""Pixels above the panels of a page: for the title, the menu, and the names of panels."""
LEAST_HEIGHT = 480
"""Least height of a page in pixels."""


def canvas(width: float, height: float) -> Figure:
    """An empty matplotlib figure with a size in inches, drawn without a display.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    with needs("viz", "pictures"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plotly_graphs() -> Any:
    """The module ``plotly.graph_objects``.

    Raises:
        ImportError: If plotly is not installed.
    """
    with needs("viz", "interactive pages"):
        import plotly.graph_objects as graphs
    return graphs


def lay_out_page(figure: Any, title: str, least_height: int, menu: Sequence[dict[str, Any]] = ()) -> Any:
    """Gives a plotly figure a title, a menu on the line below it, and room for both above the panels.

    Args:
        figure: A ``plotly.graph_objects.Figure``; it is changed and returned.
        title: The first line.
        least_height: Least height of the page in pixels; in a taller window the figure fills it.
        menu: Buttons of a menu; the first one is the figure's initial state.
    """
    place = {"x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 18}}
    if len(menu) > 1:
        below = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": PANEL_TITLE}}
        figure.update_layout(updatemenus=[{"buttons": list(menu), **below}])
    top = TITLE + PANEL_TITLE + (MENU if len(menu) > 1 else 0)
    return figure.update_layout(
        title={"text": title, **place},
        template="plotly_white",
        margin={"t": top, "l": 70, "r": 30, "b": 60},
        height=least_height,
    )


def save(figure: Any, path: str | PathLike[str]) -> Path:
    """Writes a matplotlib figure as PNG, or a plotly figure as a page that fills its window and works offline.

    Args:
        figure: A result of this package's functions. The height of a plotly figure is its least height.
        path: The file, written all or nothing.

    Returns:
        The file.
    """
    path = Path(path)
    if hasattr(figure, "savefig"):
        with in_style():  # ticks are made while drawing
            write_atomic(path, partial(figure.savefig, format="png", dpi=DPI))
    else:
        write_atomic(path, lambda file: file.write(_page(figure).encode()))
    return path


def _page(figure: Any) -> str:
    shown = plotly_graphs().Figure(figure)
    shown.layout.height = None  # follows the window, as the width does
    html: str = shown.to_html(
        include_plotlyjs=True,
        full_html=True,
        default_height=f"max(100vh, {figure.layout.height or LEAST_HEIGHT}px)",
        config={"displaylogo": False, "responsive": True},
    )
    return html.replace("<body>", '<body style="margin: 0">', 1)
