"""Convolutions in C, for machines with a compiler; everything works without them.

A function per module, imported from there: kernels need some of them, and others need kernels.
"""

from ccnn_geo._base.native.build import native_status

__all__ = ["native_status"]
