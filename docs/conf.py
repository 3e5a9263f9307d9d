"""Sphinx: the pages of this folder and the reference made of docstrings. ``make docs`` builds them."""

from importlib.metadata import version as installed

project = "ccnn_geo"
author = "the ccnn_geo authors"
version = release = installed("ccnn_geo")

extensions = [
    "myst_nb",  # pages, and notebooks, which it runs
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
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
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["style.css"]
copybutton_exclude = ".linenos, .gp, .go"
html_title = f"ccnn_geo {release}"
