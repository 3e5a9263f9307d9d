"""Formulae as MathML, which browsers draw without a script or a network."""

from __future__ import annotations

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator


def _aligned(latex: str) -> str:
    """Wraps lines that are broken or aligned, as Sphinx does for other renderers."""
    broken = "\\\\" in latex or re.search(r"(?<!\\)&", latex)
    return rf"\begin{{aligned}}{latex}\end{{aligned}}" if broken and "\\begin" not in latex else latex


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    formula = convert(_aligned(node.astext().strip()), display="block")
    translator.body.append(f'<div class="formula">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the renderer; ``html_math_renderer = "mathml"`` chooses it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
