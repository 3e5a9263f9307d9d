"""Models for others: folders of weights and settings, and programs that run without this package.

Names are imported when first asked for: networks need the folders, and programs networks.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "Prediction": "ccnn_geo.export.predictor",
    "ShapeClassifier": "ccnn_geo.export.predictor",
    "save_classifier": "ccnn_geo.export.classifier",
    "load_classifier": "ccnn_geo.export.predictor",
    "is_pretrained": "ccnn_geo.export.classifier",
    "push_to_hub": "ccnn_geo.io.models.hub",
    "exportable": "ccnn_geo.export.program",
    "export_program": "ccnn_geo.export.program",
    "export_onnx": "ccnn_geo.export.program",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
