"""The families of kernel networks, by name."""

from __future__ import annotations

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
"""Names that :class:`~ccnn_geo.kernels.config.KernelConfig` and the command line accept."""
