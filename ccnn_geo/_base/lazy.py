"""Public names that a package imports on first access."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Makes ``__all__``, ``__getattr__`` and ``__dir__`` of a package.

    For type checkers the package imports the same names under ``TYPE_CHECKING``; a test compares the two.

    Args:
        package: ``__name__`` of the package.
        homes: Maps modules, without ``ccnn_geo.``, to their public names, separated by blanks.
    """
    places = {name: f"ccnn_geo.{module}" for module, names in homes.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(places[name]), name)
        setattr(sys.modules[package], name, found)
        return found

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return sorted(places), get, listed
