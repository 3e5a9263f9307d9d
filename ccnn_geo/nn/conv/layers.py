"""Continuous convolution layers on points and grids; they own the parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ccnn_geo.functional.pointwise.linear import channel_linear
from ccnn_geo.nn.conv.base import ContinuousConv
from ccnn_geo.nn.grouped_linear import make_linear
from ccnn_geo.nn.pointwise import add_bias


class SepFlexConv(ContinuousConv):
    r"""Separable continuous convolution: a depthwise continuous kernel, then a pointwise linear layer.

    From `"Modelling Long Range Dependencies in ND: From Task-Specific to a General Purpose CNN"
    <https://arxiv.org/abs/2301.10540>`_, Sec. 4.1.

    .. math::
        y(p_i) = W \Big( \sum_{j \in \mathcal N(i)} w_j \, k(p_i - p_j) \odot x(p_j) + b \Big) + c

    where :math:`k: \mathbb R^D \to \mathbb R^{C_{in}}` is a kernel network times a Gaussian window of
    learnable width. One set of parameters acts on points, at any position, and on grids of any size.

    Args:
        in_channels: Input channels :math:`C_{in}`.
        out_channels: Output channels :math:`C_{out}`.
        dim: Dimension :math:`D` of the positions: 1, 2 or 3.
        config: The kernel: its network, window and domain.
        num_neighbors: Neighbours per point for ``method="edge"`` if no edges are given; all other methods then sum
            over all points of a cloud.
        method: ``"auto"`` chooses the fastest path. On points you can also name one: ``"edge"`` (chunked, exact),
            ``"lattice"`` (a kernel per distinct offset, exact), ``"mesh"`` (all points, to the error of
            :meth:`mesh_error`) or ``"plain"`` (one kernel per edge). On grids: ``"fft"`` or ``"direct"``.
        measure: Weights :math:`w_j` of the points, if none are given. ``"uniform"``: 1, as in the paper. ``"density"``:
            the inverse of the local density, with mean 1 in each cloud. ``"quadrature"``: relative to the density
            trained on (:class:`~ccnn_geo.nn.conv.measures.QuadratureMeasure`), so that the sum becomes an integral and
            features stay the same on a cloud with four times the points. It needs ``num_neighbors=None``, so that the
            window bounds the kernel and not the list; given edges must include all points in the window's support.
        num_taps: :math:`|\Omega|` of the initialisation; by default measured on the first batch.
        groups: Groups of the pointwise layer. Channels of different groups are not mixed, as in
            :class:`torch.nn.Conv1d`.
        **kwargs: Settings that override ``config`` (:class:`~ccnn_geo.kernels.config.KernelConfig`), such as
            ``omega_0`` and ``window_init``; the rest goes to :class:`torch_geometric.nn.MessagePassing`.

    Shapes:
        - **points:** ``x`` :math:`(N, C_{in})`, ``pos`` :math:`(N, D)`, ``edge_index`` :math:`(2, E)`
          to :math:`(N, C_{out})`; bipartite ``x`` :math:`((N, C_{in}), None)`,
          ``pos`` :math:`((N, D), (M, D))` to :math:`(M, C_{out})`
        - **grid:** ``x`` :math:`(B, C_{in}, *S)` with :math:`D` axes to :math:`(B, C_{out}, *S)`

    Raises:
        ValueError: If an argument is out of range, or shapes do not fit.

    Example:
        >>> conv = SepFlexConv(16, 32, dim=2)
        >>> conv(torch.randn(4, 16, 28, 28)).shape
        torch.Size([4, 32, 28, 28])
        >>> conv(torch.randn(50, 16), torch.rand(50, 2)).shape
        torch.Size([50, 32])
    """

    dense = False

    def make_mixer(self) -> None:
        self.bias = nn.Parameter(torch.empty(self.in_channels))
        self.pointwise = make_linear(self.in_channels, self.out_channels, self.groups)

    def reset_mixer(self) -> None:
        nn.init.zeros_(self.bias)
        nn.init.normal_(self.pointwise.weight, std=self.pointwise.in_features**-0.5)
        nn.init.zeros_(self.pointwise.bias)

    def mix(self, y: Tensor) -> Tensor:
        """Adds the bias to the sums over neighbours and applies the pointwise layer."""
        return channel_linear(y, self.pointwise, shift=self.bias)


class FlexConv(ContinuousConv):
    r"""Dense (non-separable) continuous convolution, as in FlexConv and CKConv.

    .. math::
        y(p_i) = \sum_{j \in \mathcal N(i)} w_j \, K(p_i - p_j) \, x(p_j) + b,
        \qquad K: \mathbb R^D \to \mathbb R^{C_{out} \times C_{in}}

    Arguments, shapes and errors as in :class:`SepFlexConv`.

    Source: Romero et al., 2022 (FlexConv); the comparison in Sec. 4.1.

    Example:
        >>> conv = FlexConv(3, 8, dim=1)
        >>> conv(torch.randn(2, 3, 50)).shape
        torch.Size([2, 8, 50])
    """

    dense = True

    def make_mixer(self) -> None:
        self.bias = nn.Parameter(torch.empty(self.out_channels))

    def reset_mixer(self) -> None:
        nn.init.zeros_(self.bias)

    def mix(self, y: Tensor) -> Tensor:
        """Adds the bias to the sums over neighbours."""
        return add_bias(y, self.bias)
