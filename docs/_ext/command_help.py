"""The directive ``command-help``: a command with the ``--help`` that it prints."""

from __future__ import annotations

import os
import subprocess
import sys

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


class CommandHelp(Directive):
    """Runs ``ccnn-geo ARGUMENTS`` and shows its output."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        arguments = self.arguments[0].split()
        shown = subprocess.run(
            [sys.executable, "-m", "ccnn_geo.cli", *arguments],
            env={**os.environ, "COLUMNS": "100"},
            capture_output=True,
            text=True,
        )
        if shown.returncode:
            raise self.error(f"ccnn-geo {' '.join(arguments)}: {shown.stderr.strip()}")
        block = nodes.literal_block(shown.stdout, shown.stdout, language="text")
        return [block]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
