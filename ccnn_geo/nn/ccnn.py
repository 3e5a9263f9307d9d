"""The continuous convolutional network: one model for sequences, images, volumes and point clouds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.devices import check_one_device
from ccnn_geo._base.pyg import Data
from ccnn_geo.functional.clouds import as_clouds
from ccnn_geo.kernels.config import PAPER
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.blocks import BLOCKS
from ccnn_geo.nn.composition import Composition
from ccnn_geo.nn.conv.checks import check_grid, check_reused
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.nn.head import Head
from ccnn_geo.nn.nyquist import FirstSpacing
from ccnn_geo.nn.old_keys import accept_old_keys
from ccnn_geo.nn.pretrained import Pretrained
from ccnn_geo.nn.set_branch import SetBranch
from ccnn_geo.nn.trunk import Trunk

SIZES: dict[str, dict[str, int]] = {
    "ccnn_4_16": {"num_blocks": 4, "hidden_channels": 16, "kernel_hidden": 8},
    "ccnn_4_32": {"num_blocks": 4, "hidden_channels": 32, "kernel_hidden": 8},
    "ccnn_4_48": {"num_blocks": 4, "hidden_channels": 48, "kernel_hidden": 8},
    "ccnn_4_140": {"num_blocks": 4, "hidden_channels": 140, "kernel_hidden": 32},
    "ccnn_6_380": {"num_blocks": 6, "hidden_channels": 380, "kernel_hidden": 64},
}
"""Sizes of the paper's models (Sec. 5, appendix C.2)."""

WITH_SETS: dict[str, dict[str, int]] = {
    "ccnn_4_32_sets": {**SIZES["ccnn_4_32"], "set_channels": 24},
    "ccnn_4_48_sets": {**SIZES["ccnn_4_48"], "kernel_hidden": 24, "members": 4, "set_channels": 64},
}
"""Networks with a branch that sees points one by one, for one prediction per sample: the best on unseen kinds."""

PRESETS: dict[str, dict[str, Any]] = {
    **SIZES,
    **WITH_SETS,
    **{f"{name}_paper": {**sizes, **PAPER} for name, sizes in SIZES.items()},
}
"""All sizes, with kernels that adapt to the data; ``*_paper`` has the paper's ``omega_0`` and window instead."""

OLD_KEYS = {
    "first_variance": "head.scale.moment",
    "scale.": "head.scale.",
    "pool_norm.": "head.norm.",
    "head.weight": "head.linear.weight",
    "head.bias": "head.linear.bias",
}
"""Names in older state dicts, from before the head was a module."""


class CCNN(Pretrained, Trunk):
    r"""Continuous convolutional neural network (Fig. 5).

    .. math::
        h_0 = \mathrm{gelu}(\mathrm{norm}(\mathrm{SepFlexConv}(x))), \quad
        h_l = \mathcal R_l(h_{l-1}), \quad
        y = W \, \mathrm{mean}(\mathrm{norm}(h_L)) + b

    Neighbours are found once per forward pass and shared by all layers. The first batch scales the kernels and
    the head once, so that all layers and the outputs of a fresh model have unit variance (Sec. 4.1).

    Args:
        in_channels: Input channels.
        out_channels: Number of classes or regression targets.
        dim: Dimension :math:`D` of the positions: 1, 2 or 3.
        hidden_channels: Width of the network.
        num_blocks: Number of residual blocks.
        num_neighbors: Neighbours per point; ``None`` for all points in the kernels' windows, as
            ``measure="quadrature"`` requires.
        readout: ``"global"`` (one output per sample) or ``"node"`` (one per point or cell).
        pool: Pooling of a global readout over all points: ``"mean"`` as in the paper, ``"mean_max"`` or ``"sum"``, see
            :class:`~ccnn_geo.nn.head.Head`. If points have weights (given or from ``measure``), the mean is weighted:
            it is over the surface, not over its points.
        composition: Whether a global output starts from a linear function of the summed input features, fitted to the
            data, see :class:`~ccnn_geo.nn.composition.Composition`.
        block: ``"ccnn"``, ``"s4"``, ``"flex"`` or ``"gated"``.
        dropout: Dropout in the blocks.
        drop_path: Probability of skipping the last block's branch for a sample in training; proportionally lower for
            earlier blocks.
        members: Number of networks side by side, an ensemble with averaged outputs. Each has its own
            ``hidden_channels`` channels; all share one neighbour search and one kernel network per layer. In training
            each member predicts and learns independently, so there are ``members`` times as many rows: the whole batch
            of the first member, then that of the second.
        set_channels: Width of a branch beside the convolutions that sees each point separately and pools maxima, a
            :class:`~ccnn_geo.nn.set_branch.SetBranch`; 0 for none. It learns independently, as one more member, and its
            prediction weighs as much as all other members together.
        init_spacing: Distance between points; no kernel starts above their Nyquist rate, see
            :meth:`~ccnn_geo.nn.trunk.Trunk.limit_frequencies`. ``"auto"`` measures it once, on the first batch, before
            that batch scales the kernels.
        **conv_kwargs: Further arguments of :class:`~ccnn_geo.nn.conv.layers.SepFlexConv`, including those of
            :class:`~ccnn_geo.kernels.config.KernelConfig`: ``kernel_hidden``, ``omega_0``, ``window_init``, ``causal``.

    Shapes:
        - **points:** ``x`` :math:`(N, C_{in})`, ``pos`` :math:`(N, D)`, ``batch`` :math:`(N)`
          to :math:`(B, C_{out})`, or :math:`(N, C_{out})` with ``readout="node"``
        - **grid:** ``x`` :math:`(B, C_{in}, *S)` to :math:`(B, C_{out})`, or :math:`(B, C_{out}, *S)`
        - **data:** a :class:`torch_geometric.data.Data` or ``Batch`` with ``x``, ``pos``, ``batch``, and
          ``edge_index`` if the neighbours are given

    Raises:
        ValueError: If an argument is out of range or shapes do not fit.

    Source: members: Laurent et al., 2023, "Packed-Ensembles for Efficient Uncertainty Estimation".

    Example:
        >>> model = CCNN.from_preset("ccnn_4_16", dim=3, in_channels=6, out_channels=40)
        >>> sum(p.numel() for p in model.parameters())
        6545
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int,
        hidden_channels: int = 140,
        num_blocks: int = 4,
        *,
        num_neighbors: int | None = 256,
        readout: str = "global",
        pool: str = "mean",
        composition: bool = False,
        block: str = "ccnn",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        members: int = 1,
        set_channels: int = 0,
        init_spacing: float | str | None = None,
        **conv_kwargs: Any,
    ) -> None:
        if block not in BLOCKS:
            raise ValueError(f"CCNN: expected block to be one of {sorted(BLOCKS)}, got {block!r}")
        if num_blocks < 0 or out_channels < 1:
            raise ValueError(
                f"CCNN: expected num_blocks >= 0 and out_channels >= 1, got {num_blocks}, {out_channels}"
            )
        if isinstance(init_spacing, str) and init_spacing != "auto":
            raise ValueError(
                f"CCNN: expected init_spacing to be a number, 'auto' or None, got {init_spacing!r}"
            )
        super().__init__(
            in_channels,
            dim,
            hidden_channels,
            num_blocks,
            num_neighbors,
            block,
            dropout,
            drop_path,
            members,
            **conv_kwargs,
        )
        self.remember_arguments(
            in_channels=in_channels,
            out_channels=out_channels,
            dim=dim,
            hidden_channels=hidden_channels,
            num_blocks=num_blocks,
            num_neighbors=num_neighbors,
            readout=readout,
            pool=pool,
            composition=composition,
            block=block,
            dropout=dropout,
            drop_path=drop_path,
            members=members,
            set_channels=set_channels,
            init_spacing=init_spacing,
            **conv_kwargs,
        )
        self.out_channels, self.init_spacing = out_channels, init_spacing
        self.head = Head(members * hidden_channels, out_channels, readout, pool, members)
        if composition and readout != "global":
            raise ValueError(f"CCNN: expected readout 'global' with composition, got {readout!r}")
        if set_channels != 0 and readout != "global":
            raise ValueError(f"CCNN: expected readout 'global' with set_channels, got {readout!r}")
        self.set_branch = SetBranch(in_channels, out_channels, set_channels) if set_channels != 0 else None
        self.composition = Composition(in_channels, out_channels) if composition else None
        accept_old_keys(self, OLD_KEYS)
        self.first_spacing = FirstSpacing(dim) if init_spacing == "auto" else None
        if init_spacing is not None:
            if self.stem.kernel.config.fits_data:
                raise ValueError(
                    f"CCNN: expected omega_0 or window_init with init_spacing, got {init_spacing!r} alone; kernels "
                    "that adapt to the data start below its Nyquist rate"
                )
            self.stem.kernel.filter_frequencies()  # raises early for a family without any
        self.reset_parameters()

    @property
    def readout(self) -> str:
        """``"global"`` (one output per sample) or ``"node"`` (one per point or cell)."""
        return self.head.readout

    @property
    def num_answers(self) -> int:
        """Rows per sample in training: one per member, and one for the branch of ``set_channels``."""
        return self.members + (self.set_branch is not None)

    @classmethod
    def from_preset(cls, name: str, dim: int, in_channels: int, out_channels: int, **kwargs: Any) -> CCNN:
        """Builds one of the paper's models, a key of :data:`PRESETS`; ``kwargs`` override its settings."""
        if name not in PRESETS:
            raise ValueError(f"CCNN.from_preset: expected one of {sorted(PRESETS)}, got {name!r}")
        return cls(in_channels, out_channels, dim, **{**PRESETS[name], **kwargs})

    def reset_parameters(self) -> None:
        """Draws new parameters."""
        super().reset_parameters()
        self.head.reset_parameters()
        for part in (self.set_branch, self.composition):
            if part is not None:
                part.reset_parameters()
        if self.first_spacing is not None:
            self.first_spacing.reset_parameters()
        elif self.init_spacing is not None and not isinstance(self.init_spacing, str):
            self.limit_frequencies(self.init_spacing)

    def forward(
        self,
        x: Tensor | Data,
        pos: Tensor | None = None,
        batch: Tensor | None = None,
        edge_index: Tensor | Neighbors | PointPlan | None = None,
        weight: Tensor | None = None,
        spacing: float | Sequence[float] | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Applies the network to a grid (``x`` alone), to points, or to a ``Data``.

        Args:
            x: Features, or a ``Data`` that holds all arguments.
            pos: Positions of points.
            batch: Cloud of each point, sorted; one cloud by default.
            edge_index: Edges from source to target, or a :class:`~ccnn_geo.nn.conv.plan.PointPlan`; by default the
                ``num_neighbors`` nearest, with ``method="mesh"`` all points.
            weight: Quadrature weights of the points.
            spacing: Distance between the cells of a grid; by default its longest axis covers [-1, 1]. For points, the
                step of the lattice they lie on.
            batch_size: Number of clouds, needed if the last ones may be empty.
        """
        if isinstance(x, Data):
            return self._forward_data(x)
        check_one_device(
            "CCNN",
            x=x,
            pos=pos,
            batch=batch,
            edge_index=edge_index.edge_index if isinstance(edge_index, Neighbors) else edge_index,
            weight=weight,
            parameters=self.head.linear.weight,
        )
        batch = None if batch is None else as_clouds(batch, "batch")
        if pos is None and isinstance(x, Tensor) and x.dim() > 1:  # layers report other shapes
            check_grid("CCNN", x)
        first = self.first_spacing
        if first is not None and not first.is_known and first.measure(x, pos, batch, spacing):
            self.limit_frequencies(first.value)
        if pos is None:
            return self.answers(self.head(self.features(x, spacing=spacing)), x)
        if batch is not None and (batch.dim() != 1 or batch.size(0) != pos.size(0)):
            raise ValueError(f"CCNN: expected batch [{pos.size(0)}] beside pos, got {list(batch.shape)}")
        plan = self.plan(pos, batch, edge_index, spacing, batch_size)
        if plan is edge_index:
            check_reused("CCNN", x, plan, weight)
        weight = self.stem.point_weights(plan) if weight is None else weight
        h = self.features(x, pos=pos, edge_index=plan, weight=weight)
        return self.answers(self.head(h, batch, batch_size, weight), x, batch, batch_size)

    def answers(
        self, outputs: Tensor, x: Tensor, batch: Tensor | None = None, batch_size: int | None = None
    ) -> Tensor:
        """Adds the outputs of the branch and the composition to the outputs of the head.

        Arguments as in :meth:`forward`; ``x`` are features of points or of a grid.
        """
        if self.set_branch is not None:
            own = self.set_branch(x, batch, batch_size)
            outputs = torch.cat([outputs, own]) if self.training else (outputs + own) / 2
        if self.composition is None:
            return outputs
        if self.training and self.num_answers > 1:
            return self.composition(outputs.unflatten(0, (self.num_answers, -1)), x, batch).flatten(0, 1)
        return self.composition(outputs, x, batch)

    def _forward_data(self, data: Data) -> Tensor:
        missing = [name for name in ("x", "pos") if getattr(data, name, None) is None]
        if missing:
            raise ValueError(
                f"CCNN: expected a Data with x and pos, got {data} without {' and '.join(missing)}"
            )
        return self(
            data.x,
            data.pos,
            data.batch,
            edge_index=data.edge_index,
            weight=getattr(data, "weight", None),
            batch_size=getattr(data, "num_graphs", None) if data.batch is not None else None,
        )
