"""The base of kernel networks: functions of relative positions with a linear output layer."""

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
"""Width of a Gaussian envelope's spectrum in standard deviations (holds 95 % of it)."""

CHANNELS = 4096
"""Number of outputs to bound at a time."""


class KernelNetwork(nn.Module, ABC):
    r"""A continuous kernel :math:`k: \mathbb{R}^D \to \mathbb{R}^C` with a linear last layer.

    .. math::
        k(r) = W_{\mathrm{out}} \, \varphi(r) + b_{\mathrm{out}}

    A family implements :meth:`basis` (the map :math:`\varphi`), :meth:`reset_basis`, :meth:`oscillating`,
    :meth:`max_frequency`, :meth:`log_size` or its own :meth:`frequency_bound`, and :meth:`filters_by_layer` if it has
    filters with frequencies. The output layer is the attribute ``output``: it is linear, so a sum over neighbours may
    be taken before it.

    Args:
        dim: Dimension :math:`D` of the relative positions.
        out_channels: Number of kernel values :math:`C` per position.
        hidden_channels: Width :math:`H` of the basis.
        num_layers: Depth; each family documents which layers it counts.
        omega_0: Frequency prior; each family documents how it enters.
        low_pass: Standard deviation :math:`s` of a Gaussian low-pass, in units of the relative positions. It bounds
            the kernel's spectrum at a frequency :math:`\kappa` by :math:`e^{-|\kappa|^2 s^2 / 2}` times a constant.

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
    """Whether the family takes a low-pass: it has a closed form for Gabor and Fourier kernels."""
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
        """Draws new parameters: those of the basis, then a unit-variance output layer."""
        self.reset_basis()
        uniform_fan_in_(self.output.weight, gain=math.sqrt(3.0))
        nn.init.zeros_(self.output.bias)

    @abstractmethod
    def reset_basis(self) -> None:
        """Draws new parameters for all layers before the output layer."""

    @abstractmethod
    def basis(self, rel: Tensor) -> Tensor:
        """Values before the output layer: relative positions ``[*, D]`` to ``[*, H]``, in full precision."""

    def definition(self, rel: Tensor) -> Tensor:
        """:meth:`basis` by its formula, differentiated by autograd alone; faster forms are tested against it."""
        return self.basis(rel)

    @abstractmethod
    def oscillating(self) -> Sequence[Tensor]:
        """Parameters ``[H, D]`` that ``omega_0`` multiplies; the kernel's frequencies are proportional to them."""

    @torch.no_grad()
    def scale_frequencies(self, factor: Tensor) -> None:
        """Multiplies ``omega_0`` by a factor per axis, ``[D]``, after parameters are drawn."""
        for parameter in self.oscillating():
            parameter.mul_(factor)

    def gabor_layers(self) -> tuple[list[Gabor], list[Affine]] | None:
        """Filters and hidden layers of a multiplicative Gabor network, which has fast paths; ``None`` for others."""
        return None

    @abstractmethod
    def max_frequency(self) -> Tensor:
        """Highest angular frequency the kernel can express along each axis, ``[D]`` in rad per unit."""

    def log_size(self, shifts: Tensor) -> Tensor:
        r"""Bound of the basis at offsets shifted along an imaginary axis, in float64 on the host.

        .. math::
            \log M_{dj}(t) \ge \log |\varphi_j(r + i\,t\,e_d)| \quad\text{for all real } r

        It exists because the basis continues analytically; :mod:`~ccnn_geo.kernels.math.spectrum` derives a bound
        of the spectrum from it.

        Shapes:
            - **shifts:** :math:`(T)`; **output:** :math:`(T, D, H)`

        Raises:
            NotImplementedError: If the family has no bound of this kind; it then has its own :meth:`frequency_bound`.
        """
        raise NotImplementedError(f"{type(self).__name__}: no bound of the basis at complex offsets")

    @torch.no_grad()
    def frequency_bound(self, tail: float = 0.05, reach: Tensor | None = None) -> Tensor:
        r"""Frequency above which provably at most a share of the kernel lies, ``[D]`` in rad per unit.

        Each channel of the kernel differs by at most :math:`\varepsilon A_c` anywhere from a function without higher
        frequencies along that axis. :math:`A_c` is the kernel's value if all filters were at their largest and all
        weights positive. The weights determine how much each path through the layers contributes.

        Args:
            tail: :math:`\varepsilon` in (0, 1).
            reach: Largest offset per axis for which this must hold, ``[D]``; only an :class:`MLPKernel` needs it.

        Source: :func:`~ccnn_geo.kernels.math.spectrum.strip_band`.
        """
        log_size, output = self.log_size(SHIFTS), self.output
        parts = zip(host(output.weight).split(CHANNELS), host(output.bias).split(CHANNELS), strict=True)
        bands = [strip_band(log_affine(log_size, weight, bias), tail) for weight, bias in parts]
        return torch.stack(bands).amax(dim=0).to(output.weight)

    def filter_frequencies(self) -> list[Tensor]:
        """Frequency of each filter per axis, ``[H, D]`` per layer in rad per unit; along a path they add up.

        A Gaussian envelope adds two standard deviations of its spectrum.

        Raises:
            ValueError: If the family has no filters with frequencies.
        """
        found = [frequencies for frequencies, _ in self.filters_by_layer()]
        if not found:
            raise ValueError(
                f"{type(self).__name__}: expected a kernel with frequencies to limit, got one without"
            )
        return found

    def filters_by_layer(self) -> list[tuple[Tensor, Sequence[Tensor]]]:
        """Frequencies ``[H, D]`` of each layer's filters, and the parameters ``[H, *]`` proportional to them."""
        return []

    def limit_frequencies(self, limit: Tensor) -> None:
        r"""Slows down every filter that is faster than its layer's share of a limit, and leaves the others.

        Args:
            limit: Highest frequency of the network per axis, ``[D]`` in rad per unit, positive: with :math:`L + 1`
                layers of filters each filter keeps :math:`|\omega_d| + 2 \gamma_d \le b_d / (L + 1)`.

        Raises:
            ValueError: If the family has no filters with frequencies.
        """
        self.limit_filters(limit / len(self.filter_frequencies()))

    @torch.no_grad()
    def limit_filters(self, limit: Tensor) -> None:
        r"""Slows down every filter that is faster than a limit, and leaves the others.

        Args:
            limit: Highest frequency of a filter per axis, ``[D]`` in rad per unit, positive:
                :math:`|\omega_d| + 2 \gamma_d \le b_d`. A filter's :math:`\omega` and :math:`\gamma` shrink by one
                factor on all axes, so its direction and shape stay the same.
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
