"""Layers, blocks, networks, norms and readouts, for grids and for points."""

from typing import TYPE_CHECKING

from ccnn_geo._base.lazy import lazy_names

if TYPE_CHECKING:
    from ccnn_geo.nn.blocks import CCNNBlock as CCNNBlock
    from ccnn_geo.nn.blocks import FlexBlock as FlexBlock
    from ccnn_geo.nn.blocks import GatedBlock as GatedBlock
    from ccnn_geo.nn.blocks import S4Block as S4Block
    from ccnn_geo.nn.build import build_network as build_network
    from ccnn_geo.nn.ccnn import CCNN as CCNN
    from ccnn_geo.nn.ccnn import PRESETS as PRESETS
    from ccnn_geo.nn.conv.base import ContinuousConv as ContinuousConv
    from ccnn_geo.nn.conv.fixed_taps import fixed_taps as fixed_taps
    from ccnn_geo.nn.conv.kernel_norms import collect_kernel_norms as collect_kernel_norms
    from ccnn_geo.nn.conv.kernel_norms import l2_penalty as l2_penalty
    from ccnn_geo.nn.conv.layers import FlexConv as FlexConv
    from ccnn_geo.nn.conv.layers import SepFlexConv as SepFlexConv
    from ccnn_geo.nn.conv.paths import Explanation as Explanation
    from ccnn_geo.nn.conv.plan import PointPlan as PointPlan
    from ccnn_geo.nn.drop_path import DropPath as DropPath
    from ccnn_geo.nn.explain import EdgesFirst as EdgesFirst
    from ccnn_geo.nn.grouped_linear import GroupedLinear as GroupedLinear
    from ccnn_geo.nn.head import Head as Head
    from ccnn_geo.nn.joint import JointCCNN as JointCCNN
    from ccnn_geo.nn.joint import embed_grid as embed_grid
    from ccnn_geo.nn.norm.batch import BatchNorm as BatchNorm
    from ccnn_geo.nn.norm.pool import PoolNorm as PoolNorm
    from ccnn_geo.nn.norm.statistics import fresh_statistics as fresh_statistics
    from ccnn_geo.nn.norm.sync import SyncBatchNorm1d as SyncBatchNorm1d
    from ccnn_geo.nn.norm.sync import convert_sync_norms as convert_sync_norms
    from ccnn_geo.nn.nyquist import nyquist_penalty as nyquist_penalty
    from ccnn_geo.nn.nyquist import sample_spacing as sample_spacing
    from ccnn_geo.nn.point_field import PointField as PointField
    from ccnn_geo.nn.pooling import POOLS as POOLS
    from ccnn_geo.nn.pooling import pool_clouds as pool_clouds
    from ccnn_geo.nn.pooling import pool_dense as pool_dense
    from ccnn_geo.nn.pretrained import Pretrained as Pretrained
    from ccnn_geo.nn.set_branch import SetBranch as SetBranch
    from ccnn_geo.nn.targets import Targets as Targets
    from ccnn_geo.nn.trunk import Trunk as Trunk

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "nn.blocks": "CCNNBlock FlexBlock GatedBlock S4Block",
        "nn.build": "build_network",
        "nn.ccnn": "CCNN PRESETS",
        "nn.conv.base": "ContinuousConv",
        "nn.conv.fixed_taps": "fixed_taps",
        "nn.conv.kernel_norms": "collect_kernel_norms l2_penalty",
        "nn.conv.layers": "FlexConv SepFlexConv",
        "nn.conv.paths": "Explanation",
        "nn.conv.plan": "PointPlan",
        "nn.drop_path": "DropPath",
        "nn.explain": "EdgesFirst",
        "nn.grouped_linear": "GroupedLinear",
        "nn.head": "Head",
        "nn.joint": "JointCCNN embed_grid",
        "nn.norm.batch": "BatchNorm",
        "nn.norm.pool": "PoolNorm",
        "nn.norm.statistics": "fresh_statistics",
        "nn.norm.sync": "SyncBatchNorm1d convert_sync_norms",
        "nn.nyquist": "nyquist_penalty sample_spacing",
        "nn.point_field": "PointField",
        "nn.pooling": "POOLS pool_clouds pool_dense",
        "nn.pretrained": "Pretrained",
        "nn.set_branch": "SetBranch",
        "nn.targets": "Targets",
        "nn.trunk": "Trunk",
    },
)
