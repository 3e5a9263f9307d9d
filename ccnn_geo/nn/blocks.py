"""Residual blocks of Fig. 7 (the paper's and two it is compared with), and one with gates."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from ccnn_geo.functional.pointwise.linear import channel_linear
from ccnn_geo.kernels.math.gelu import gelu
from ccnn_geo.nn.conv.layers import SepFlexConv
from ccnn_geo.nn.drop_path import DropPath
from ccnn_geo.nn.grouped_linear import make_linear
from ccnn_geo.nn.norm.batch import BatchNorm


class CCNNBlock(nn.Module):
    r"""The paper's residual block (Fig. 7, right; Table 8).

    .. math::
        \mathcal R(x) = x + \mathrm{gelu}\big(W \, \mathrm{dropout}(\mathrm{gelu}(
        \mathrm{SepFlexConv}(\mathrm{norm}(x))))\big)

    Args:
        channels: Input and output channels :math:`C`.
        dim: Dimension :math:`D` of the positions.
        dropout: Probability of dropping a feature.
        drop_path: Probability of skipping the branch for a sample in training, see
            :class:`~ccnn_geo.nn.drop_path.DropPath`.
        **conv_kwargs: Arguments of :class:`~ccnn_geo.nn.conv.layers.SepFlexConv`; ``groups`` apply to all layers.

    Shapes:
        - **input and output:** points :math:`(N, C)` with ``pos`` and ``edge_index``, or a grid
          :math:`(B, C, *S)`; further arguments of ``forward`` as for the convolution

    Example:
        >>> block = CCNNBlock(8, dim=2)
        >>> block(torch.randn(2, 8, 10, 10)).shape
        torch.Size([2, 8, 10, 10])
    """

    gated: ClassVar[bool] = False

    def __init__(
        self, channels: int, dim: int, dropout: float = 0.0, drop_path: float = 0.0, **conv_kwargs: Any
    ) -> None:
        super().__init__()
        self.norm = BatchNorm(channels)
        self.conv = SepFlexConv(channels, channels, dim, **conv_kwargs)
        self.gate = make_linear(channels, channels, self.conv.groups) if self.gated else None
        self.dropout = nn.Dropout(dropout)
        self.linear = make_linear(channels, channels, self.conv.groups)
        self.drop_path = DropPath(drop_path)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new parameters."""
        self.norm.reset_parameters()
        self.conv.reset_parameters()
        for linear in (self.linear, self.gate):
            if linear is not None:
                nn.init.kaiming_normal_(linear.weight)
                nn.init.zeros_(linear.bias)

    def branch(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The block without its residual sum and last nonlinearity."""
        x = self.norm(x)
        h = self.conv(x, *args, **kwargs)
        h = gelu(h) if self.gate is None else h * (2 * channel_linear(x, self.gate).sigmoid())
        return channel_linear(self.dropout(h), self.linear)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        h = self.branch(x, *args, **kwargs)
        if self.training and self.drop_path.p > 0:
            return x + self.drop_path(gelu(h), *args, **kwargs)
        return gelu(h, residual=x)


class S4Block(CCNNBlock):
    r"""The block of S4 (Fig. 7, middle): :class:`CCNNBlock` without the last nonlinearity.

    .. math::
        \mathcal R(x) = x + W \, \mathrm{dropout}(\mathrm{gelu}(\mathrm{SepFlexConv}(\mathrm{norm}(x))))

    Example:
        >>> block = S4Block(8, dim=2)
        >>> block(torch.randn(2, 8, 10, 10)).shape
        torch.Size([2, 8, 10, 10])
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return x + self.drop_path(self.branch(x, *args, **kwargs), *args, **kwargs)


class GatedBlock(CCNNBlock):
    r""":class:`CCNNBlock` with a gate per feature instead of the first nonlinearity.

    .. math::
        \mathcal R(x) = x + \mathrm{gelu}\big(W \, \mathrm{dropout}(
        \mathrm{SepFlexConv}(n) \odot 2 \sigma(G n))\big), \quad n = \mathrm{norm}(x)

    A fresh gate has mean 1, so that variances stay the same.

    Source: Poli et al., 2023, "Hyena Hierarchy", where the input also gates long convolutions.

    Example:
        >>> block = GatedBlock(8, dim=2)
        >>> block(torch.randn(2, 8, 10, 10)).shape
        torch.Size([2, 8, 10, 10])
    """

    gated = True


class FlexBlock(nn.Module):
    r"""The block of FlexNet (Fig. 7, left): two convolutions, nonlinearity after the sum.

    .. math::
        \mathcal R(x) = \mathrm{gelu}\big(x + \mathrm{norm}_2(\mathrm{conv}_2(\mathrm{dropout}(
        \mathrm{gelu}(\mathrm{norm}_1(\mathrm{conv}_1(x))))))\big)

    Arguments and shapes as in :class:`CCNNBlock`.

    Example:
        >>> block = FlexBlock(8, dim=2)
        >>> block(torch.randn(2, 8, 10, 10)).shape
        torch.Size([2, 8, 10, 10])
    """

    def __init__(
        self, channels: int, dim: int, dropout: float = 0.0, drop_path: float = 0.0, **conv_kwargs: Any
    ) -> None:
        super().__init__()
        self.conv1 = SepFlexConv(channels, channels, dim, **conv_kwargs)
        self.norm1 = BatchNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = SepFlexConv(channels, channels, dim, **conv_kwargs)
        self.norm2 = BatchNorm(channels)
        self.drop_path = DropPath(drop_path)

    def reset_parameters(self) -> None:
        """Draws new parameters."""
        for module in (self.conv1, self.norm1, self.conv2, self.norm2):
            module.reset_parameters()

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        h = self.dropout(gelu(self.norm1(self.conv1(x, *args, **kwargs))))
        h = self.norm2(self.conv2(h, *args, **kwargs))
        return gelu(x + self.drop_path(h, *args, **kwargs))


BLOCKS: dict[str, type[CCNNBlock] | type[FlexBlock]] = {
    "ccnn": CCNNBlock,
    "s4": S4Block,
    "flex": FlexBlock,
    "gated": GatedBlock,
}
