"""Notices of data sets that are not errors."""

from __future__ import annotations

import os
from functools import lru_cache

from ccnn_geo._base.caller import warn_caller


@lru_cache(maxsize=1024)
def say_once(message: str) -> None:
    """Warns in one line, once per process: a training opens a data set several times.

    Processes of a distributed run open the same data set; the first process warns for all.
    """
    if all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "LOCAL_RANK")):
        warn_caller(message)
