"""A network on points as a function of position: evaluated anywhere, not only at the given points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.conv.plan import PointPlan

CHUNK_EDGES = 1 << 21
"""Edges per chunk of targets; each takes about 50 bytes, including the search."""

Hook = Callable[[nn.Module, tuple[Any, ...]], Any]


class PointField:
    r"""The output of a network at any position, given the signal at some points.

    Apart from convolutions, a network with an output per point works pointwise, and a convolution has a value
    everywhere:

    .. math::
        h_0(p) = \mathrm{gelu}(\mathrm{norm}(\mathrm{conv}_0(x; p))), \quad
        h_l(p) = h_{l-1}(p) + \mathrm{branch}_l(h_{l-1}; p), \quad
        \mathrm{conv}(h; p) = \sum_{j \in \mathcal N(p)} k(p - p_j) \, h(p_j)

    The network runs once on the points :math:`p_j`. The inputs of each convolution there are its sources from then on.
    At one of these points the value equals the output of the network. Each position takes as many edges per layer as
    in the network itself.

    Args:
        network: A network in evaluation mode, with ``readout="node"``.
        x: Features of the points.
        pos: Positions of the points, one cloud.

    Shapes:
        - **x:** :math:`(N, C_{in})`; **pos:** :math:`(N, D)`, in the unit used in training
        - **call:** positions :math:`(M, D)` to :math:`(M, C_{out})`

    Raises:
        ValueError: If the network has another readout, is in training mode, or shapes do not fit.

    Example:
        >>> network = CCNN.from_preset("ccnn_4_16", 3, 2, 5, readout="node", num_neighbors=16)
        >>> x, pos = torch.randn(200, 2), torch.rand(200, 3)
        >>> output = network(x, pos)                                        # the first batch sets the scales
        >>> field = PointField(network.eval(), x, pos)
        >>> field(torch.rand(1000, 3)).shape
        torch.Size([1000, 5])
        >>> torch.equal(field(pos[:50]), field.output[:50])
        True
    """

    output: Tensor
    """The network's output at the given points, ``[N, C_out]``."""

    @torch.no_grad()
    def __init__(self, network: CCNN, x: Tensor, pos: Tensor) -> None:
        if network.readout != "node" or network.training:
            mode = "training" if network.training else "evaluation"
            raise ValueError(
                "PointField: expected a network with readout 'node' in evaluation mode, got readout "
                f"{network.readout!r} in {mode} mode"
            )
        self.network, self.x, self.pos = network, x, pos
        self._sources: dict[nn.Module, Tensor] = {}
        with self._hooked(self._remember):
            self.output = network(x, pos)

    @torch.no_grad()
    def __call__(self, at: Tensor) -> Tensor:
        """The network's output at positions."""
        each = self.network.num_neighbors or len(self.pos)
        chunks = at.split(max(1, CHUNK_EDGES // max(1, min(each, len(self.pos)))))
        with self._hooked(self._recall):
            return torch.cat([self._outputs(chunk) for chunk in chunks])

    def _outputs(self, at: Tensor) -> Tensor:
        network = self.network
        plan = PointPlan(
            (self.pos, at),
            num_neighbors=None if network.stem.method == "mesh" else network.num_neighbors,
            flow=network.stem.flow,
            dtype=network.stem_norm.weight.dtype,
        )
        return network(self.x, at, edge_index=plan)

    def _remember(self, conv: nn.Module, given: tuple[Any, ...]) -> None:
        self._sources[conv] = given[0]

    def _recall(self, conv: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return ((self._sources[conv], None), *given[1:])

    @contextmanager
    def _hooked(self, hook: Hook) -> Iterator[None]:
        """Calls the hook before each convolution."""
        with ExitStack() as stack:
            for conv in self.network.convs:
                stack.callback(conv.register_forward_pre_hook(hook).remove)
            yield
