"""The command line in a process of its own."""

import os
import sys


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ccnn_geo.cli", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
