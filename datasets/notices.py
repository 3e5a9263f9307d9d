"""What a data set has to say that is no error."""

from __future__ import annotations

import warnings
from functools import lru_cache


@lru_cache(maxsize=1024)
def say_once(message: str) -> None:
    """Warns in one line, once in a process: a data set is opened several times in a training.

    The line names files, and needs no place in a program.
    """
    warnings.warn_explicit(message, UserWarning, "ccnn_geo.datasets", 0)
