"""Convolutions in C, for machines with a compiler; everything works without them."""

from ccnn_geo.functional.native.build import native_status
from ccnn_geo.functional.native.edge_magnet import native_edge_conv, native_kernel

__all__ = ["native_edge_conv", "native_kernel", "native_status"]
