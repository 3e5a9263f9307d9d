"""One trunk for several kinds of data: networks that share their residual blocks."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ccnn_geo._base.pyg import Data
from ccnn_geo.functional.representations import grid_spacing
from ccnn_geo.nn.ccnn import CCNN
from ccnn_geo.nn.config import listed
from ccnn_geo.nn.conv.base import ContinuousConv
from ccnn_geo.nn.pretrained import Pretrained
from ccnn_geo.nn.shared_conv import SharedConv

OWN = ("norms", "scales")
"""Parts of a shared block that each kind of data may have for itself."""


class JointCCNN(Pretrained):
    r"""Several networks with one trunk: they share residual blocks, but not stems, heads and norms.

    .. math::
        y = \mathrm{head}_k \circ \mathcal R_L^{(k)} \circ \dots \circ \mathcal R_1^{(k)} \circ \mathrm{stem}_k(x),
        \qquad k = \text{kind of } x

    All blocks :math:`\mathcal R_l^{(k)}` share kernels and linear layers. Each kind has its own norms, because batch
    statistics of one kind are wrong for another (domain-specific batch normalisation), and its own scale per
    convolution (:class:`~ccnn_geo.nn.shared_conv.SharedConv`). Grids with fewer axes than the trunk lie on a plane or
    line in its space (:func:`embed_grid`), so a three-dimensional trunk also takes images. ``save_pretrained`` stores
    the trunk once. To export one kind as a program, export the result of :meth:`separate`.

    Args:
        networks: One network per kind of data, with the same blocks; they become parts of this one. The first one's
            trunk is used, with its ``omega_0``, window and other settings; it may be trained already.
        own: Parts of the blocks that each kind has for itself: ``"norms"``, ``"scales"``.

    Shapes:
        - **input and output:** as in the kind's network; grids may lack leading axes

    Raises:
        ValueError: If the networks' blocks differ, or a kind or an entry of ``own`` is unknown.

    Source: Sec. 6, "Cross-modal training"; norms: Chang et al., 2019, "Domain-Specific Batch Normalization".

    Example:
        >>> image, cloud = (CCNN.from_preset("ccnn_4_16", 3, c, 10, num_neighbors=16) for c in (1, 6))
        >>> model = JointCCNN({"images": image, "clouds": cloud})
        >>> model("images", torch.randn(2, 1, 8, 8)).shape
        torch.Size([2, 10])
        >>> model("clouds", torch.randn(50, 6), torch.rand(50, 3)).shape
        torch.Size([1, 10])
    """

    saved_as = "JointCCNN"

    def __init__(self, networks: Mapping[str, CCNN], own: Collection[str] = OWN) -> None:
        super().__init__()
        unknown = set(own) - set(OWN)
        if isinstance(own, str) or unknown:
            raise ValueError(f"JointCCNN: expected own to be some of {OWN}, got {own!r}")
        if not networks:
            raise ValueError("JointCCNN: expected at least one network, got none")
        name, first = next(iter(networks.items()))
        for other, network in networks.items():
            _check_alike(name, first, other, network)
        try:
            self.networks = nn.ModuleDict(networks)
        except (KeyError, TypeError) as error:
            raise ValueError(f"JointCCNN: expected kinds with plain names, {error}") from error
        self.own = tuple(part for part in OWN if part in own)
        shared = [dict(block.named_children()) for block in first.blocks]
        for network in networks.values():
            for block, parts in zip(network.blocks, shared, strict=True):
                self._share(block, parts, is_first=network is first)
            if "norms" not in own:
                network.norm = first.norm

    def _share(self, block: nn.Module, parts: Mapping[str, nn.Module], is_first: bool) -> None:
        for name, part in parts.items():
            if isinstance(part, nn.BatchNorm1d) and "norms" in self.own:
                continue
            if isinstance(part, ContinuousConv) and "scales" in self.own:
                conv, part = part, SharedConv(part)
                if is_first and conv.scale.is_known:  # a network already in use keeps its outputs
                    part.scale.set(1.0)
            setattr(block, name, part)

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of each kind's network, and the setting ``own``."""
        return {"networks": {kind: self[kind].config for kind in self.networks}, "own": list(self.own)}

    @classmethod
    def from_arguments(
        cls, given: Mapping[str, Any], where: str, weights: Mapping[str, Tensor] | None = None
    ) -> JointCCNN:
        """Builds a fresh network from a :attr:`config`, no larger than its stored weights."""
        networks, own = given.get("networks"), given.get("own")
        if not isinstance(networks, Mapping) or not isinstance(own, list):
            raise ValueError(f"{where}: expected networks by kind, and a list own; got {listed(given)}")
        if weights is not None and (
            empty := set(networks) - {".".join(name.split(".")[1:2]) for name in weights}
        ):
            raise ValueError(f"{where}: there are no weights of {listed(empty)}")
        parts = {
            kind: CCNN.from_arguments(one, f"{where}, {kind}", weights) for kind, one in networks.items()
        }
        try:
            return cls(parts, own)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error

    def __getitem__(self, kind: str) -> CCNN:
        """The network of a kind; the parameters in its blocks are shared with all kinds."""
        if kind not in self.networks:
            raise ValueError(f"JointCCNN: expected one of {', '.join(self.networks)}, got {kind!r}")
        network = self.networks[kind]
        assert isinstance(network, CCNN)
        return network

    def forward(self, kind: str, x: Tensor | Data, pos: Tensor | None = None, **carrier: Any) -> Tensor:
        """Applies the network of a kind.

        Args:
            kind: Name of the kind.
            x: Features, or a ``Data``.
            pos: Positions of points.
            **carrier: Further arguments of :meth:`CCNN.forward <ccnn_geo.nn.ccnn.CCNN.forward>`.
        """
        network = self[kind]
        if isinstance(x, Tensor) and pos is None and 3 <= x.dim() < network.dim + 2:
            x, carrier["spacing"] = embed_grid(x, network.dim, carrier.get("spacing"))
        return network(x, pos, **carrier)

    def separate(self, kind: str) -> CCNN:
        """Returns a copy of a kind's network that shares nothing: a plain CCNN with the same outputs."""
        network = copy.deepcopy(self[kind])
        for block in network.blocks:
            for name, part in list(block.named_children()):
                if isinstance(part, SharedConv):
                    setattr(block, name, part.folded())
        return network


def embed_grid(
    x: Tensor, dim: int, spacing: float | Sequence[float] | None = None
) -> tuple[Tensor, tuple[float, ...]]:
    """Places a grid on the line or plane through the origin of a space with more dimensions.

    The grid's axes become the last ones: an image is the plane ``pos[:, 0] = 0``, where a kernel has the offsets
    ``(0, dy, dx)``. The new axes have the step 1, so the measure of a cell remains an area or a length.

    Args:
        x: Features on the grid.
        dim: Dimension of the space.
        spacing: See :func:`~ccnn_geo.functional.representations.grid_spacing`.

    Shapes:
        ``x [B, C, *S]`` -> ``[B, C, 1, ..., 1, *S]`` with ``dim`` axes, and their spacings.

    Raises:
        ValueError: If the grid has no axis, or more axes than the space.
    """
    missing = dim + 2 - x.dim()
    if missing < 0 or x.dim() < 3:
        raise ValueError(f"embed_grid: expected x [B, C, *S] with 1 to {dim} axes, got {list(x.shape)}")
    step = grid_spacing(x.shape[2:], spacing)
    return x.reshape(*x.shape[:2], *[1] * missing, *x.shape[2:]), (1.0,) * missing + step


def _check_alike(name: str, first: CCNN, other: str, network: CCNN) -> None:
    """Raises a ValueError if two networks cannot share a trunk."""
    layouts: list[dict[str, object]] = []
    for whole in (first, network):
        blocks = whole.get_submodule("blocks")
        layouts.append({key: type(module).__name__ for key, module in blocks.named_modules() if key})
        layouts[-1] |= {key: list(value.shape) for key, value in blocks.named_parameters()}
    for key in {**layouts[0], **layouts[1]}:
        found = [layout.get(key, "nothing") for layout in layouts]
        if found[0] != found[1]:
            raise ValueError(
                f"JointCCNN: expected networks with the same blocks, but blocks.{key} is {found[0]} in {name!r} "
                f"and {found[1]} in {other!r}"
            )
