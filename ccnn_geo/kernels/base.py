"""What a kernel network is: a function of relative positions with a linear output layer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ccnn_geo.kernels.math.gabor import Gabor
from ccnn_geo.kernels.math.magnet import Affine
from ccnn_geo.kernels.math.spectrum import SHIFTS, log_affine, strip_band

GAUSSIAN_STDDEVS = 2.0
"""Standard deviations of a Gaussian envelope's spectrum that count as its width (95 % of it)."""

CHANNELS = 4096
"""Outputs whose bounds are computed at a time."""


class KernelNetwork(nn.Module, ABC):
    r"""A continuous kernel :math:`k: \mathbb{R}^D \to \mathbb{R}^C` with a linear last layer.

    .. math::
        k(r) = W_{\mathrm{out}} \, \varphi(r) + b_{\mathrm{out}}

    A family implements :meth:`basis` (the map :math:`\varphi`), :meth:`reset_basis`, :meth:`oscillating`,
    :meth:`max_frequency`, :meth:`log_size` or a :meth:`frequency_bound` of its own, and :meth:`filters_by_layer` if it
    has filters with frequencies. The output layer is reachable as ``output``: since it is linear, a sum over neighbours
    may be taken before it.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C` per position.
        hidden_channels: Width :math:`H` of the basis.
        num_layers: Depth; each family says what it counts.
        omega_0: Frequency prior; each family says how it enters.
        low_pass: Standard deviation :math:`s` of a Gaussian low-pass, in units of the relative positions. What a
            kernel has at a frequency :math:`\kappa` is held below :math:`e^{-|\kappa|^2 s^2 / 2}` times a constant.

    Shapes:
        - **input:** relative positions :math:`(*, D)`
        - **output:** kernel values :math:`(*, C)`

    Raises:
        ValueError: If a size is not positive, or the low-pass negative.

    Example:
        >>> from ccnn_geo.kernels import KERNELS
        >>> all(issubclass(family, KernelNetwork) for family in KERNELS.values())
        True
    """

    basis_channels: int
    passes_low = False
    """Whether the family takes a low-pass: Gabor and Fourier kernels, for which it has a closed form."""
    has_centres = False
    """Whether the family takes ``mean_scale`` and ``causal``, which place the centres of its filters."""

    def __init__(
        self,
        dim: int,
        out_channels: int,
        hidden_channels: int = 32,
        num_layers: int = 3,
        omega_0: float = 50.0,
        basis_channels: int | None = None,
        low_pass: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = {
            "dim": dim,
            "out_channels": out_channels,
            "hidden_channels": hidden_channels,
            "num_layers": num_layers,
            "omega_0": omega_0,
        }
        for name, value in sizes.items():
            if not value > 0:
                raise ValueError(f"{type(self).__name__}: expected {name} > 0, got {value}")
        if not low_pass >= 0 or math.isinf(low_pass):
            raise ValueError(f"{type(self).__name__}: expected low_pass >= 0 and finite, got {low_pass}")
        self.dim = dim
        self.out_channels = out_channels
        self.hidden_channels = hidden_channels
        self.num_layers = num_layers
        self.omega_0 = omega_0
        self.low_pass = low_pass
        self.basis_channels = hidden_channels if basis_channels is None else basis_channels
        self.output = nn.Linear(self.basis_channels, out_channels)

    def reset_parameters(self) -> None:
        """Draws all parameters anew: those of the basis, then a unit-variance output layer."""
        self.reset_basis()
        uniform_fan_in_(self.output.weight, gain=math.sqrt(3.0))
        nn.init.zeros_(self.output.bias)

    @abstractmethod
    def reset_basis(self) -> None:
        """Draws the parameters before the output layer anew."""

    @abstractmethod
    def basis(self, rel: Tensor) -> Tensor:
        """Values before the output layer: relative positions ``[*, D]`` to ``[*, H]``, full precision."""

    def definition(self, rel: Tensor) -> Tensor:
        """:meth:`basis` as its formula says, differentiated by autograd alone: what a faster form is held to."""
        return self.basis(rel)

    @abstractmethod
    def oscillating(self) -> Sequence[Tensor]:
        """Parameters ``[H, D]`` that ``omega_0`` multiplies: how fast the kernel varies is in proportion to them."""

    @torch.no_grad()
    def scale_frequencies(self, factor: Tensor) -> None:
        """Multiplies ``omega_0`` by a factor per axis, ``[D]``, after parameters have been drawn."""
        for parameter in self.oscillating():
            parameter.mul_(factor)

    def gabor_layers(self) -> tuple[list[Gabor], list[Affine]] | None:
        """Filters and hidden layers, if the basis is a multiplicative Gabor network: those have fast paths."""
        return None

    @abstractmethod
    def max_frequency(self) -> Tensor:
        """Highest angular frequency the kernel can express along each axis, ``[D]`` in rad per unit."""

    def log_size(self, shifts: Tensor) -> Tensor:
        r"""Bound of the basis at offsets shifted along an imaginary axis, in float64 on the host.

        .. math::
            \log M_{dj}(t) \ge \log |\varphi_j(r + i\,t\,e_d)| \quad\text{for all real } r

        It exists since the basis continues analytically; :mod:`~ccnn_geo.kernels.math.spectrum` says what follows.

        Shapes:
            - **shifts:** :math:`(T)`; **output:** :math:`(T, D, H)`

        Raises:
            NotImplementedError: If the family has no such bound; then it has a :meth:`frequency_bound` of its own.
        """
        raise NotImplementedError(f"{type(self).__name__}: no bound of the basis at complex offsets")

    @torch.no_grad()
    def frequency_bound(self, tail: float = 0.05, reach: Tensor | None = None) -> Tensor:
        r"""Frequency above which provably at most a share of the kernel lies, ``[D]`` in rad per unit.

        Each channel of the kernel differs from a function without frequencies above it, along that axis, by at
        most :math:`\varepsilon A_c` anywhere, where :math:`A_c` is the kernel's value if all its filters were at
        their largest and all its weights positive. Weights decide how much each path through the layers counts.

        Args:
            tail: :math:`\varepsilon` in (0, 1).
            reach: Largest offset per axis for which this must hold, ``[D]``; only an :class:`MLPKernel` needs one.

        Source: :func:`~ccnn_geo.kernels.math.spectrum.strip_band`.
        """
        log_size, output = self.log_size(SHIFTS), self.output
        parts = zip(host(output.weight).split(CHANNELS), host(output.bias).split(CHANNELS), strict=True)
        bands = [strip_band(log_affine(log_size, weight, bias), tail) for weight, bias in parts]
        return torch.stack(bands).amax(dim=0).to(output.weight)

    def filter_frequencies(self) -> list[Tensor]:
        """Frequency of each filter per axis, ``[H, D]`` a layer in rad per unit: those of a path add up.

        A Gaussian envelope counts with two standard deviations of its spectrum.

        Raises:
            ValueError: If the family has no filters with frequencies.
        """
        found = [frequencies for frequencies, _ in self.filters_by_layer()]
        if not found:
            raise ValueError(
                f"{type(self).__name__}: expected a kernel with frequencies to limit, it has none"
            )
        return found

    def filters_by_layer(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        """Frequencies ``[H, D]`` of each layer's filters, and the parameters ``[H, *]`` that are in proportion."""
        return []

    def limit_frequencies(self, limit: Tensor) -> None:
        r"""Slows down every filter that is faster than its layer's share of a limit, and no other.

        Args:
            limit: Highest frequency of the network per axis, ``[D]`` in rad per unit, positive: with :math:`L + 1`
                layers of filters each filter keeps :math:`|\omega_d| + 2 \gamma_d \le b_d / (L + 1)`.

        Raises:
            ValueError: If the family has no filters with frequencies.
        """
        self.limit_filters(limit / len(self.filter_frequencies()))

    @torch.no_grad()
    def limit_filters(self, limit: Tensor) -> None:
        r"""Slows down every filter that is faster than a limit, and no other.

        Args:
            limit: Highest frequency of a filter per axis, ``[D]`` in rad per unit, positive:
                :math:`|\omega_d| + 2 \gamma_d \le b_d`. A filter's frequency and width shrink alike on all axes, so
                that direction and shape stay.
        """
        for frequencies, parameters in self.filters_by_layer():
            factor = (limit / frequencies).amin(dim=1, keepdim=True).clamp(max=1)
            for parameter in parameters:
                parameter.mul_(factor)

    def forward(self, rel: Tensor) -> Tensor:
        """Kernel values: relative positions ``[*, D]`` to ``[*, C]``."""
        if rel.size(-1) != self.dim:
            raise ValueError(
                f"{type(self).__name__}: expected relative positions [..., {self.dim}], got {list(rel.shape)}"
            )
        return self.output(self.basis(rel))

    def extra_repr(self) -> str:
        shown = f"dim={self.dim}, hidden={self.hidden_channels}, layers={self.num_layers}, omega_0={self.omega_0:g}"
        return shown + (f", low_pass={self.low_pass:g}" if self.low_pass else "")


def host(tensor: Tensor) -> Tensor:
    """A tensor's values on the host, in double precision."""
    return tensor.detach().cpu().double()


def uniform_fan_in_(weight: Tensor, gain: float) -> None:
    r"""Fills ``[out, in]`` with :math:`U(-g/\sqrt{n_{in}}, g/\sqrt{n_{in}})`; gain sqrt(3) keeps variance."""
    bound = gain / math.sqrt(weight.size(1))
    nn.init.uniform_(weight, -bound, bound)
