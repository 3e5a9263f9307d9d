"""The trunk of a network: stem and residual blocks, which share one plan of the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from ccnn_geo.kernels.math.gelu import gelu
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.blocks import BLOCKS, CCNNBlock, FlexBlock
from ccnn_geo.nn.conv.layers import SepFlexConv
from ccnn_geo.nn.conv.paths import Explanation
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.nn.norm.batch import BatchNorm


class Trunk(nn.Module):
    r"""Features of points or grids, before a network's readout and head.

    .. math::
        h_0 = \mathrm{gelu}(\mathrm{norm}(\mathrm{SepFlexConv}(x))), \quad
        h_l = \mathcal R_l(h_{l-1}), \quad
        y = \mathrm{norm}(h_L)

    Args:
        in_channels: Input channels.
        dim: Dimension :math:`D` of the positions.
        hidden_channels: Width.
        num_blocks: Number of residual blocks.
        num_neighbors: Neighbours per point; ``None`` for all points in the kernels' windows.
        block: A key of :data:`~ccnn_geo.nn.blocks.BLOCKS`.
        dropout: Dropout in the blocks.
        drop_path: Probability of skipping the last block's branch; proportionally lower for earlier blocks.
        members: Number of networks side by side. Each has its own ``hidden_channels``, which no layer mixes with
            those of other members; all share the kernel networks.
        **conv_kwargs: Further arguments of :class:`~ccnn_geo.nn.conv.layers.SepFlexConv`.

    Raises:
        ValueError: If ``members`` is below 1, or ``groups`` are given: members are groups.

    Example:
        >>> trunk = Trunk(3, dim=2, hidden_channels=8, num_blocks=2, num_neighbors=None)
        >>> trunk.features(torch.randn(2, 3, 10, 10)).shape
        torch.Size([2, 8, 10, 10])
    """

    def __init__(
        self,
        in_channels: int,
        dim: int,
        hidden_channels: int,
        num_blocks: int,
        num_neighbors: int | None,
        block: str = "ccnn",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        members: int = 1,
        **conv_kwargs: Any,
    ) -> None:
        super().__init__()
        if members < 1:
            raise ValueError(f"CCNN: expected members >= 1, got {members}")
        if conv_kwargs.pop("groups", 1) != 1:
            raise ValueError("CCNN: expected members instead of groups")
        self.members = members
        width = members * hidden_channels
        self.in_channels, self.dim, self.num_neighbors = in_channels, dim, num_neighbors
        conv_kwargs["num_neighbors"] = num_neighbors
        self.stem = SepFlexConv(in_channels, width, dim, **conv_kwargs)
        self.stem_norm = BatchNorm(width)
        blocks = nn.ModuleList(
            BLOCKS[block](
                width,
                dim,
                dropout=dropout,
                drop_path=drop_path * (l + 1) / num_blocks,
                groups=members,
                **conv_kwargs,
            )
            for l in range(num_blocks)
        )
        self.blocks = cast("Sequence[CCNNBlock | FlexBlock]", blocks)
        # pre-norm blocks leave the last sum unnormalised; FlexBlock does not
        self.norm = nn.Identity() if BLOCKS[block] is FlexBlock else BatchNorm(width)

    def reset_parameters(self) -> None:
        """Draws new parameters."""
        self.stem.reset_parameters()
        self.stem_norm.reset_parameters()
        for block in self.blocks:
            block.reset_parameters()
        if isinstance(self.norm, BatchNorm):
            self.norm.reset_parameters()

    def limit_frequencies(self, spacing: float | Sequence[float] | Tensor) -> None:
        r"""Slows down all filters that are too fast for points at a given distance.

        .. math::
            |\omega_d| + 2 \gamma_d \le \frac{\pi / h_d - f^w_d}{L + 1}

        with :math:`f^w` the width of the window's spectrum and :math:`L + 1` layers of filters. Filters below the limit
        do not change. The limit holds at the time of the call; :func:`~ccnn_geo.nn.nyquist.nyquist_penalty` keeps
        filters below it in training.

        Args:
            spacing: Distance :math:`h` between the points, one number or one per axis.

        Raises:
            ValueError: If a window alone is too narrow for that distance, or kernels have no frequencies.
        """
        for conv in self.convs:
            conv.kernel.limit_frequencies(spacing)

    @property
    def convs(self) -> list[SepFlexConv]:
        """All convolutions, from the stem to the last block."""
        return [m for m in self.modules() if isinstance(m, SepFlexConv)]

    def plan(
        self,
        pos: Tensor,
        batch: Tensor | None = None,
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        spacing: float | Sequence[float] | None = None,
        batch_size: int | None = None,
    ) -> PointPlan:
        """Everything that all layers need to know about the points, made once per forward pass.

        Arguments as in :meth:`CCNN.forward <ccnn_geo.nn.ccnn.CCNN.forward>`.
        """
        if isinstance(edge_index, PointPlan):
            return edge_index
        return PointPlan(
            pos,
            batch,
            edge_index,
            num_neighbors=None if self.stem.method == "mesh" else self.num_neighbors,
            spacing=spacing,
            batch_size=batch_size,
            flow=self.stem.flow,
            dtype=self.stem_norm.weight.dtype,
        )

    def explain_plan(self, pos: Tensor, *args: Any, **kwargs: Any) -> dict[str, Explanation]:
        """Explains which path each convolution takes on given points, by name; arguments as in :meth:`plan`."""
        plan = self.plan(pos, *args, **kwargs)
        return {n: m.explain_plan(pos, plan) for n, m in self.named_modules() if isinstance(m, SepFlexConv)}

    def features(self, x: Tensor, **carrier: Any) -> Tensor:
        """Returns the normalised output of the last block; further arguments as for the convolutions."""
        h = gelu(self.stem_norm(self.stem(x, **carrier)))
        for block in self.blocks:
            h = block(h, **carrier)
        return self.norm(h)
