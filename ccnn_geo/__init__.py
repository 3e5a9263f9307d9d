"""Continuous convolutional neural networks for sequences, images, voxels and point clouds.

Names are imported on first use, so that the command line can print its version without loading torch.
"""

from typing import TYPE_CHECKING

from ccnn_geo._base.lazy import lazy_names
from ccnn_geo._base.moved import keep_old_paths
from ccnn_geo._base.version import VERSION

if TYPE_CHECKING:
    from ccnn_geo.export.loading import load as load
    from ccnn_geo.export.loading import predict as predict
    from ccnn_geo.nn.blocks import CCNNBlock as CCNNBlock
    from ccnn_geo.nn.blocks import FlexBlock as FlexBlock
    from ccnn_geo.nn.blocks import GatedBlock as GatedBlock
    from ccnn_geo.nn.blocks import S4Block as S4Block
    from ccnn_geo.nn.ccnn import CCNN as CCNN
    from ccnn_geo.nn.conv.layers import FlexConv as FlexConv
    from ccnn_geo.nn.conv.layers import SepFlexConv as SepFlexConv
    from ccnn_geo.nn.conv.plan import PointPlan as PointPlan
    from ccnn_geo.nn.joint import JointCCNN as JointCCNN

__version__ = VERSION
__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "export.loading": "load predict",
        "nn.blocks": "CCNNBlock FlexBlock GatedBlock S4Block",
        "nn.ccnn": "CCNN",
        "nn.conv.layers": "FlexConv SepFlexConv",
        "nn.conv.plan": "PointPlan",
        "nn.joint": "JointCCNN",
    },
)
__all__ += ["__version__"]

keep_old_paths(__path__)
