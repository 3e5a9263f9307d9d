"""CKCNN: residual blocks of dense continuous convolutions, kernels by a SIREN, no window."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from ccnn_geo.experiments.baselines.residual import ResidualNet, TCNBlock
from ccnn_geo.nn.conv.layers import FlexConv


class CKCNN(ResidualNet):
    r"""Continuous kernel convolutional network: :class:`TCNBlock` with dense, global SIREN kernels.

    .. math::
        h_l = \mathcal R_l(h_{l-1}), \quad h_0 = x, \qquad
        \mathrm{conv}(x)[n] = \sum_t K(p_n - p_t) \, x[t] + b, \quad
        K: \mathbb R^D \to \mathbb R^{C_{out} \times C_{in}}

    Args:
        in_channels: Input channels.
        out_channels: Number of classes or regression targets.
        dim: Number of axes: 1, 2 or 3.
        hidden_channels: Width of the network.
        num_blocks: Number of residual blocks.
        kernel_hidden: Hidden width of the kernel networks.
        kernel_layers: Their layers of sines, one less than the source counts.
        omega_0: Their frequency, tuned per task in the source.
        dropout: Dropout in the blocks.
        readout: ``"global"`` (one output per sample) or ``"node"`` (one per cell).
        causal: Whether kernels see only the past; by default for sequences.
        **conv_kwargs: Further arguments of :class:`~ccnn_geo.nn.conv.layers.FlexConv`.

    Shapes:
        - **input:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out})`, or :math:`(B, C_{out}, *S)` with ``readout="node"``

    Raises:
        ValueError: If an argument is out of range, or the input does not fit.

    Source: Romero et al., 2022, `"CKConv: Continuous Kernel Convolution For Sequential Data"
    <https://arxiv.org/abs/2102.02611>`_, Sec. 4; the defaults are CKCNN-Seq of Table 1. Different here: logits come
    from the mean over all cells instead of the last one, as in CCNN; kernels are scaled by the first batch (Sec. 4.1
    of the CCNN paper); and the weights of kernel networks are not normalised. One channel and ten classes take 95,300
    parameters, the published 98k with the 2,986 magnitudes of weight normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int,
        hidden_channels: int = 30,
        num_blocks: int = 2,
        kernel_hidden: int = 32,
        kernel_layers: int = 2,
        omega_0: float = 30.0,
        dropout: float = 0.0,
        readout: str = "global",
        causal: bool | None = None,
        **conv_kwargs: Any,
    ) -> None:
        conv = partial(
            FlexConv,
            dim=dim,
            kernel="siren",
            window=None,
            kernel_hidden=kernel_hidden,
            kernel_layers=kernel_layers,
            omega_0=omega_0,
            causal=dim == 1 if causal is None else causal,
            **conv_kwargs,
        )
        norm = partial(nn.GroupNorm, 1)  # layer normalisation over channels and cells
        super().__init__(
            in_channels,
            out_channels,
            hidden_channels,
            num_blocks,
            TCNBlock,
            conv,
            norm,
            stem=False,
            dropout=dropout,
            readout=readout,
        )
