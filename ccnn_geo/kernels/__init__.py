"""Kernel networks: small networks of relative positions that generate convolution kernels."""

from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.kernels.families import KERNELS
from ccnn_geo.kernels.fourier import FourierNet
from ccnn_geo.kernels.gabor import GaborNet
from ccnn_geo.kernels.magnet import MAGNet
from ccnn_geo.kernels.mlp import MLPKernel
from ccnn_geo.kernels.random_fourier import RandomFourierNet
from ccnn_geo.kernels.siren import SIREN

__all__ = [
    "KERNELS",
    "SIREN",
    "FourierNet",
    "GaborNet",
    "KernelConfig",
    "KernelNetwork",
    "MAGNet",
    "MLPKernel",
    "RandomFourierNet",
]
