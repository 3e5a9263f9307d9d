"""Models for others: folders of weights and settings, and programs that run without this package.

Names are imported when first asked for: networks need the folders, and programs networks.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "save_classifier": "classifier",
    "load_classifier": "classifier",
    "is_pretrained": "classifier",
    "push_to_hub": "hub",
    "exportable": "program",
    "export_program": "program",
    "export_onnx": "program",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
