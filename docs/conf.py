"""Sphinx: the pages of this folder and the reference made of docstrings. ``make docs`` builds them."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ccnn_geo"
author = "the ccnn_geo authors"
version = release = installed("ccnn_geo")

extensions = [
    "myst_nb",  # pages, and notebooks, which it runs
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "command_help",
    "mathml",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]  # _build has the notebooks once more, with outputs
myst_heading_anchors = 3
nb_execution_mode = "force"  # stored without outputs
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shapes", "Source"]
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
html_math_renderer = "mathml"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["style.css"]
copybutton_exclude = ".linenos, .gp, .go"
html_title = f"ccnn_geo {release}"


def _link_pages(app: Sphinx, path: Path, page: str, content: list[str]) -> None:
    """Points links between included files of the top folder to their pages."""
    content[0] = content[0].replace("](CONTRIBUTING.md)", "](docs/contributing.md)")


def setup(app: Sphinx) -> None:
    """Registers the hook for included files."""
    app.connect("include-read", _link_pages)
