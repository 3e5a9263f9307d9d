"""FlexNet and FlexTCN: residual blocks of dense continuous convolutions with windows of learnable size."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from ccnn_geo.experiments.baselines.residual import ResidualNet, ResNetBlock, TCNBlock
from ccnn_geo.nn.conv.layers import FlexConv

BACKBONES = {"resnet": ResNetBlock, "tcn": TCNBlock}
"""Blocks by the name of their architecture."""


class FlexNet(ResidualNet):
    r"""FlexNet: residual blocks with dense MAGNet kernels under a Gaussian window of learnable width.

    .. math::
        h_0 = \mathrm{relu}(\mathrm{norm}(\mathrm{conv}(x))), \quad h_l = \mathcal R_l(h_{l-1}), \qquad
        \mathrm{conv}(x)[n] = \sum_t w(p_n - p_t) \, K(p_n - p_t) \, x[t] + b

    with :math:`K: \mathbb R^D \to \mathbb R^{C_{out} \times C_{in}}`. The ``"resnet"`` backbone has a stem and
    :class:`ResNetBlock`; ``"tcn"``, which makes it a FlexTCN, starts directly with :class:`TCNBlock`.

    Args:
        in_channels: Input channels.
        out_channels: Number of classes or regression targets.
        dim: Number of axes: 1, 2 or 3.
        hidden_channels: Width of the network.
        num_blocks: Number of residual blocks.
        kernel_hidden: Hidden width of the kernel networks.
        omega_0: Their frequency prior.
        dropout: Dropout in the blocks.
        readout: ``"global"`` (one output per sample) or ``"node"`` (one per cell).
        backbone: ``"resnet"`` (images) or ``"tcn"`` (sequences).
        **conv_kwargs: Further arguments of :class:`~ccnn_geo.nn.conv.layers.FlexConv`, e.g. ``causal``,
            ``window_init``.

    Shapes:
        - **input:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out})`, or :math:`(B, C_{out}, *S)` with ``readout="node"``

    Raises:
        ValueError: If an argument is out of range, or the input does not fit.

    Source: Romero et al., 2022, `"FlexConv: Continuous Kernel Convolutions with Differentiable Kernel Sizes"
    <https://arxiv.org/abs/2110.08059>`_, Sec. 4. The CCNN paper gives 30 hidden channels (Sec. 4.1), 6 blocks
    (FlexNet-6 and FlexTCN-6 of Table 1), a TCN backbone for sequences and a ResNet for images (Sec. 4), and the block
    of Fig. 7, left. It is silent on the rest. ReLU and batch normalisation come from the source; kernel networks and
    their scale are those of this library (Sec. 4.1). Logits are the head's of the mean over all cells, and all blocks
    have the same width (the source widens those for images, hence its 670k parameters). FlexTCN-6 has 373,312 of the
    published 375k. The F-CCNN of Table 8 is another network, with separable kernels and GELU:
    ``CCNN(..., block="flex")``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int,
        hidden_channels: int = 30,
        num_blocks: int = 6,
        kernel_hidden: int = 32,
        omega_0: float = 50.0,
        dropout: float = 0.0,
        readout: str = "global",
        backbone: str = "resnet",
        **conv_kwargs: Any,
    ) -> None:
        if backbone not in BACKBONES:
            raise ValueError(f"FlexNet: expected backbone to be one of {sorted(BACKBONES)}, got {backbone!r}")
        conv = partial(FlexConv, dim=dim, kernel_hidden=kernel_hidden, omega_0=omega_0, **conv_kwargs)
        super().__init__(
            in_channels,
            out_channels,
            hidden_channels,
            num_blocks,
            BACKBONES[backbone],
            conv,
            nn.BatchNorm1d,
            stem=backbone == "resnet",
            dropout=dropout,
            readout=readout,
        )
