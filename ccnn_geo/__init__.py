"""Continuous convolutional neural networks for sequences, images, voxels and point clouds.

Names are imported when they are first used, so that the command line need not wait for torch to say its version.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ccnn_geo._base.moved import keep_old_paths
from ccnn_geo._base.version import VERSION

if TYPE_CHECKING:
    from ccnn_geo.export.predictor import predict as predict
    from ccnn_geo.nn.blocks import CCNNBlock as CCNNBlock
    from ccnn_geo.nn.blocks import FlexBlock as FlexBlock
    from ccnn_geo.nn.blocks import S4Block as S4Block
    from ccnn_geo.nn.ccnn import CCNN as CCNN
    from ccnn_geo.nn.conv.layers import FlexConv as FlexConv
    from ccnn_geo.nn.conv.layers import SepFlexConv as SepFlexConv
    from ccnn_geo.nn.conv.plan import PointPlan as PointPlan
    from ccnn_geo.nn.joint import JointCCNN as JointCCNN

keep_old_paths(__path__)

__version__ = VERSION

_HOMES = {
    "CCNN": "nn.ccnn",
    "CCNNBlock": "nn.blocks",
    "FlexBlock": "nn.blocks",
    "FlexConv": "nn.conv.layers",
    "JointCCNN": "nn.joint",
    "PointPlan": "nn.conv.plan",
    "S4Block": "nn.blocks",
    "SepFlexConv": "nn.conv.layers",
    "predict": "export.predictor",
}
"""The module of each public name."""

__all__ = ["CCNN", "CCNNBlock", "FlexBlock", "FlexConv", "JointCCNN", "PointPlan", "S4Block", "SepFlexConv"]
__all__ += ["__version__", "predict"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ccnn_geo' has no attribute {name!r}")
    module = import_module(f"ccnn_geo.{_HOMES[name]}")
    globals()[name] = getattr(module, name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
