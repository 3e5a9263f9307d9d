"""What the fuzz must know of a format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Format:
    """Files of a kind: extension, valid ones, who reads them, what must hold of what comes out, what may be raised."""

    suffix: str
    files: Callable[[], list[bytes]]
    read: Callable[[Path], Any]
    sound: Callable[[Any], bool]
    error: type[Exception] = ValueError
    megabytes: int = 512
