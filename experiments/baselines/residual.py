"""Residual networks with two convolutions per block, the form of CKCNN and FlexNet."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ccnn_geo.functional.pointwise.linear import channel_linear
from ccnn_geo.nn.conv.layers import FlexConv
from ccnn_geo.nn.pointwise import channel_norm

MakeConv = Callable[[int, int], FlexConv]
MakeNorm = Callable[[int], nn.BatchNorm1d | nn.GroupNorm]


class ResNetBlock(nn.Module):
    r"""Residual block of He et al. (2016), as in FlexNet (Fig. 7, left).

    .. math::
        \mathcal R(x) = \mathrm{relu}\big(s(x) + \mathrm{norm}_2(\mathrm{conv}_2(\mathrm{dropout}(
        \mathrm{relu}(\mathrm{norm}_1(\mathrm{conv}_1(x))))))\big)

    with a linear shortcut :math:`s` where the number of channels changes, the identity elsewhere.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        conv: Makes a convolution from its input and output channels.
        norm: Makes a normalisation from its channels.
        dropout: Probability of dropping a feature.

    Shapes:
        - **input:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out}, *S)`
    """

    def __init__(
        self, in_channels: int, out_channels: int, conv: MakeConv, norm: MakeNorm, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv(in_channels, out_channels), norm(out_channels)
        self.conv2, self.norm2 = conv(out_channels, out_channels), norm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = None if in_channels == out_channels else nn.Linear(in_channels, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters again."""
        for module in (self.conv1, self.norm1, self.conv2, self.norm2):
            module.reset_parameters()
        if self.shortcut is not None:
            nn.init.kaiming_normal_(self.shortcut.weight)
            nn.init.zeros_(self.shortcut.bias)

    def branch(self, x: Tensor) -> Tensor:
        """Applies the block without its residual sum and last nonlinearity."""
        h = self.dropout(torch.relu(channel_norm(self.conv1(x), self.norm1)))
        return channel_norm(self.conv2(h), self.norm2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.branch(x)
        return torch.relu(h + (x if self.shortcut is None else channel_linear(x, self.shortcut)))


class TCNBlock(ResNetBlock):
    r"""Residual block of temporal convolutional networks (Bai et al., 2018), as in CKCNN and FlexTCN.

    .. math::
        \mathcal R(x) = \mathrm{relu}\big(s(x) + f_2(f_1(x))\big), \quad
        f_i(x) = \mathrm{dropout}(\mathrm{relu}(\mathrm{norm}_i(\mathrm{conv}_i(x))))

    Arguments and shapes as in :class:`ResNetBlock`.
    """

    def branch(self, x: Tensor) -> Tensor:
        return self.dropout(torch.relu(super().branch(x)))


class ResidualNet(nn.Module):
    r"""Residual blocks between an optional stem and a linear head on the mean over all cells.

    .. math::
        h_0 = \mathrm{relu}(\mathrm{norm}(\mathrm{conv}(x))) \;\text{ or }\; x, \quad
        h_l = \mathcal R_l(h_{l-1}), \quad y = W \, \mathrm{mean}(h_L) + b

    Args:
        in_channels: Input channels.
        out_channels: Number of classes or regression targets.
        hidden_channels: Width of the network.
        num_blocks: Number of residual blocks, at least 1.
        block: Type of the blocks.
        conv: Makes a convolution from its input and output channels.
        norm: Makes a normalisation from its channels.
        stem: Whether a convolution precedes the blocks.
        dropout: Dropout in the blocks.
        readout: ``"global"`` (one output per sample) or ``"node"`` (one per cell).

    Shapes:
        - **input:** :math:`(B, C_{in}, *S)`
        - **output:** :math:`(B, C_{out})`, or :math:`(B, C_{out}, *S)` with ``readout="node"``

    Raises:
        ValueError: If an argument is out of range, or the input does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        num_blocks: int,
        block: type[ResNetBlock],
        conv: MakeConv,
        norm: MakeNorm,
        stem: bool,
        dropout: float = 0.0,
        readout: str = "global",
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if readout not in ("global", "node"):
            raise ValueError(f"{name}: expected readout 'global' or 'node', got {readout!r}")
        if num_blocks < 1 or out_channels < 1:
            raise ValueError(
                f"{name}: expected num_blocks and out_channels >= 1, got {num_blocks}, {out_channels}"
            )
        self.readout = readout
        self.stem = conv(in_channels, hidden_channels) if stem else None
        self.stem_norm = norm(hidden_channels) if stem else None
        widths = [hidden_channels if stem else in_channels] + [hidden_channels] * (num_blocks - 1)
        self.blocks = nn.ModuleList(block(c, hidden_channels, conv, norm, dropout) for c in widths)
        self.head = nn.Linear(hidden_channels, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters again."""
        for module in (self.stem, self.stem_norm, *self.blocks):
            if module is not None:
                module.reset_parameters()
        nn.init.normal_(self.head.weight, std=self.head.in_features**-0.5)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.stem is not None and self.stem_norm is not None:
            x = torch.relu(channel_norm(self.stem(x), self.stem_norm))
        for block in self.blocks:
            x = block(x)
        return channel_linear(x.flatten(2).mean(dim=2) if self.readout == "global" else x, self.head)
