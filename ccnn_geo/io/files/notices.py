"""What a data set has to say that is no error."""

from __future__ import annotations

import os
from functools import lru_cache

from ccnn_geo._base.caller import warn_caller


@lru_cache(maxsize=1024)
def say_once(message: str) -> None:
    """Warns in one line, once in a process: a data set is opened several times in a training.

    Processes of a distributed run open the same one, and the first of them says it for all.
    """
    if all(os.environ.get(rank, "0") == "0" for rank in ("RANK", "LOCAL_RANK")):
        warn_caller(message)
