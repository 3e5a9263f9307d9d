"""Continuous kernels: small networks of relative positions, windows that bound them, and the two together.

Modules of this folder import from each other, not from here.
"""

from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.families import KERNELS
from ccnn_geo.kernels.fourier import FourierNet
from ccnn_geo.kernels.gabor import GaborNet
from ccnn_geo.kernels.magnet import MAGNet
from ccnn_geo.kernels.mlp import MLPKernel
from ccnn_geo.kernels.random_fourier import RandomFourierNet
from ccnn_geo.kernels.siren import SIREN
from ccnn_geo.kernels.window import WINDOWS, GaussianWindow, TaperedWindow

__all__ = [
    "KERNELS",
    "SIREN",
    "WINDOWS",
    "ContinuousKernel",
    "FourierNet",
    "GaborNet",
    "GaussianWindow",
    "KernelConfig",
    "KernelNetwork",
    "MAGNet",
    "MLPKernel",
    "RandomFourierNet",
    "TaperedWindow",
]
