"""A linear layer with independent groups of channels."""

from __future__ import annotations

from torch import Tensor, nn

from ccnn_geo.functional.pointwise.linear import grouped_linear


class GroupedLinear(nn.Linear):
    r"""A separate linear layer for each of :math:`G` groups of channels, for several networks side by side.

    .. math::
        y_{g o} = \sum_c W_{g o c} x_{g c} + \beta_{g o}

    Args:
        in_channels: Input channels :math:`G C` of all groups.
        out_channels: Output channels :math:`G O` of all groups.
        groups: Number of groups :math:`G`.

    Shapes:
        - **input:** points :math:`(N, G C)` or a grid :math:`(B, G C, *S)`
        - **output:** :math:`(N, G O)` or :math:`(B, G O, *S)`

    Raises:
        ValueError: If the groups do not divide the channels.

    Example:
        >>> layer = GroupedLinear(8, 4, groups=2)
        >>> tuple(layer.weight.shape)
        (4, 4)

    Source: :class:`torch.nn.Conv1d` with ``groups`` and a kernel of one sample.
    """

    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"GroupedLinear: expected groups that divide the channels, got {groups} groups for {in_channels} and "
                f"{out_channels} channels"
            )
        super().__init__(in_channels // groups, out_channels)
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        return grouped_linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, groups={self.groups}"


def make_linear(in_channels: int, out_channels: int, groups: int = 1) -> nn.Linear:
    """A linear layer, grouped if there are several groups."""
    return (
        nn.Linear(in_channels, out_channels)
        if groups == 1
        else GroupedLinear(in_channels, out_channels, groups)
    )
