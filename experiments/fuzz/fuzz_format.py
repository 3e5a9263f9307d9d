"""The description of a format for the fuzz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Format:
    """Files of a kind: extension, valid files, their reader, a check of its results, and errors it may raise."""

    suffix: str
    files: Callable[[], list[bytes]]
    read: Callable[[Path], Any]
    sound: Callable[[Any], bool]
    error: type[Exception] = ValueError
    megabytes: int = 512
