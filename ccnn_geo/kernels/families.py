"""Kernel networks by the name that layers, configurations and the command line know them by."""

from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.kernels.fourier import FourierNet
from ccnn_geo.kernels.gabor import GaborNet
from ccnn_geo.kernels.magnet import MAGNet
from ccnn_geo.kernels.mlp import MLPKernel
from ccnn_geo.kernels.random_fourier import RandomFourierNet
from ccnn_geo.kernels.siren import SIREN

KERNELS: dict[str, type[KernelNetwork]] = {
    "magnet": MAGNet,
    "siren": SIREN,
    "gabor": GaborNet,
    "fourier": FourierNet,
    "random_fourier": RandomFourierNet,
    "mlp": MLPKernel,
}
"""The families; a new one is a line here."""
