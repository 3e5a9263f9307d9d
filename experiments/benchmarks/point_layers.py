"""Layers on points to compare on equal terms: ours by each method, and PyG's point layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo._base.pyg import EdgeConv, NNConv, PointNetConv, PointTransformerConv
from ccnn_geo.experiments.benchmarks.sequence_layers import open_window
from ccnn_geo.functional.representations import voxelize
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.neighbors import Neighbors
from ccnn_geo.nn.conv.base import ContinuousConv
from ccnn_geo.nn.conv.plan import PointPlan

PAIRS = 1 << 16
"""Most kernel values of the definition in memory at once."""


@dataclass(frozen=True)
class Case:
    """One measurement: a layer, its input, and the reference for its error."""

    method: str
    batch: int = 8
    points: int = 512
    neighbors: int | None = 256  # None: all points of a cloud
    channels: int = 140
    hidden: int = 32
    kernel: str = "magnet"
    omega: float = 50.0
    window: float = 3.0  # in units of the unit sphere's radius: drops no edge
    drawn: float | None = None  # the window that the kernel's filters are drawn for, if it was opened later
    threshold: float = 0.1
    radius: float = 1.0
    cloud: str = "sphere"
    against: str = "own"  # the sum over the case's own neighbours, or over "all" points of the cloud
    allocator: bool = False  # whether the C library keeps freed memory for later

    @property
    def label(self) -> str:
        """Its name in a table."""
        sees = "all pairs" if self.neighbors is None else f"k={self.neighbors}"
        return f"{self.method}, {'all points' if self.method.endswith('mesh') else sees}"

    @property
    def work(self) -> int:
        """Quantity that cost grows with: pairs, or points if no pairs are formed."""
        if self.method.endswith("mesh"):
            return self.batch * self.points
        return self.batch * self.points * (self.neighbors or self.points)


Run = Callable[[Tensor, Tensor, Tensor, Neighbors | None], Tensor]
"""Maps features, positions, cloud of each point and neighbours (none for meshes) to the layer's output."""


def make_cloud(case: Case, root: str | Path = "") -> tuple[Tensor, Tensor, Tensor]:
    """Features ``[N, C]``, positions ``[N, 3]`` and clouds ``[N]`` of a case, always the same.

    ``"sphere"``: points on the unit sphere. ``"voxels"``: some of the 40^3 voxels that a sphere occupies.
    ``"kitti"``: points of the first Velodyne frame of ``kitti.npz`` in ``root``, in metres; features are coordinates
    and intensity.
    """
    torch.manual_seed(0)
    if case.cloud == "kitti":
        with np.load(Path(root) / "kitti.npz") as archive:
            frame = torch.from_numpy(archive["xyzi"][: archive["offset"][1]])[: case.points]
        pos, scale = frame[:, :3].contiguous(), frame.new_tensor([50.0, 50.0, 5.0, 1.0])
        return frame / scale, pos, torch.zeros(len(pos), dtype=torch.long)
    if case.cloud == "voxels":
        dense = nn.functional.normalize(torch.randn(1 << 15, 3), dim=-1)
        occupied = voxelize(dense, 40)[0]
        chosen = [torch.randperm(len(occupied))[: case.points] for _ in range(case.batch)]
        pos = occupied[torch.cat(chosen)]
    else:
        pos = nn.functional.normalize(torch.randn(case.batch * case.points, 3), dim=-1)
    batch = torch.arange(case.batch).repeat_interleave(case.points)
    return torch.randn(len(pos), case.channels), pos, batch


class RenderedMessages(SepFlexConv):
    """One message per edge, with kernels rendered by the fast networks of the other paths."""

    def message(self, x_j: Tensor, pos_i: Tensor, pos_j: Tensor, weight_j: Tensor | None) -> Tensor:
        return self.kernel(pos_i - pos_j) * x_j


class CompiledMessages(SepFlexConv):
    """The definition under ``torch.compile``, which needs a C++ compiler."""

    def send_messages(self, x: Tensor, plan: PointPlan, weight: Tensor | None) -> Tensor:
        return _compiled_sum(self.kernel, x, *plan.pos, *plan.ends())


@torch.compile
def _compiled_sum(
    kernel: ContinuousKernel, x: Tensor, pos_src: Tensor, pos_dst: Tensor, source: Tensor, target: Tensor
) -> Tensor:
    messages = kernel.definition(pos_dst[target] - pos_src[source]) * x[source]
    return x.new_zeros(pos_dst.size(0), x.size(1)).index_add(0, target, messages)


FORMS = {"rendered": RenderedMessages, "compiled": CompiledMessages}


def sep_flex_conv(case: Case) -> tuple[nn.Module, Run]:
    """Our layer by one method; over given neighbours, or over all points of a cloud without listing them."""
    conv = FORMS.get(case.method, SepFlexConv)(
        case.channels,
        case.channels,
        3,
        kernel_hidden=case.hidden,
        kernel=case.kernel,
        omega_0=case.omega,
        window_init=case.drawn or case.window,
        window_threshold=case.threshold,
        kernel_radius=case.radius,
        num_neighbors=case.neighbors,
        method="plain" if case.method in FORMS else case.method,
        num_taps=case.neighbors or case.points,  # declared, because there is no first batch to measure
    )
    open_window(conv, case.window)
    return conv, lambda x, pos, batch, neighbors: conv(x, pos, neighbors, batch=batch)


def pointnet(case: Case) -> tuple[nn.Module, Run]:
    """PointNetConv: the maximum over neighbours of a perceptron of features and offset."""
    c = case.channels
    perceptron = nn.Sequential(nn.Linear(c + 3, c), nn.ReLU(), nn.Linear(c, c))
    layer = PointNetConv(perceptron, add_self_loops=False)
    return layer, lambda x, pos, batch, neighbors: layer(x, pos, _edges(neighbors))


def transformer(case: Case) -> tuple[nn.Module, Run]:
    """PointTransformerConv with its default (linear) networks."""
    layer = PointTransformerConv(case.channels, case.channels, add_self_loops=False)
    return layer, lambda x, pos, batch, neighbors: layer(x, pos, _edges(neighbors))


def edge_conv(case: Case) -> tuple[nn.Module, Run]:
    """EdgeConv on the given graph: DynamicEdgeConv without its search, which needs pyg-lib."""
    c = case.channels
    layer = EdgeConv(nn.Sequential(nn.Linear(2 * c, c), nn.ReLU(), nn.Linear(c, c)))
    return layer, lambda x, pos, batch, neighbors: layer(x, _edges(neighbors))


def nn_conv(case: Case) -> tuple[nn.Module, Run]:
    """NNConv: a perceptron of the offset gives each edge a matrix."""
    c = case.channels
    layer = NNConv(c, c, nn.Sequential(nn.Linear(3, case.hidden), nn.GELU(), nn.Linear(case.hidden, c * c)))

    def run(x: Tensor, pos: Tensor, batch: Tensor, neighbors: Neighbors | None) -> Tensor:
        edges = _edges(neighbors)
        source, target = edges
        return layer(x, edges, pos[target] - pos[source])

    return layer, run


def _edges(neighbors: Neighbors | None) -> Tensor:
    assert neighbors is not None, "meshes alone have none"
    return neighbors.edge_index


def network(case: Case) -> tuple[nn.Module, Run]:
    """A whole CCNN with an output per point; the method's name after ``ccnn_`` is the method of its layers."""
    model = CCNN(
        case.channels,
        20,
        3,
        hidden_channels=16,
        kernel_hidden=case.hidden,
        kernel=case.kernel,
        omega_0=case.omega,
        num_neighbors=case.neighbors,
        readout="node",
        method=case.method.removeprefix("ccnn_"),
        window_init=case.window,
        window_threshold=case.threshold,
        kernel_radius=case.radius,
        num_taps=case.neighbors or case.points,  # declared, as above
    )
    return model, lambda x, pos, batch, neighbors: model(x, pos, batch, neighbors)


LAYERS: dict[str, Callable[[Case], tuple[nn.Module, Run]]] = {
    "plain": sep_flex_conv,
    "rendered": sep_flex_conv,
    "compiled": sep_flex_conv,
    "edge": sep_flex_conv,
    "lattice": sep_flex_conv,
    "mesh": sep_flex_conv,
    "PointNetConv": pointnet,
    "PointTransformerConv": transformer,
    "EdgeConv": edge_conv,
    "NNConv": nn_conv,
    "ccnn_edge": network,
    "ccnn_mesh": network,
}
"""Valid values of a case's ``method``."""


@torch.no_grad()
def relative_error(
    conv: ContinuousConv, x: Tensor, pos: Tensor, batch: Tensor, neighbors: Neighbors | None, against: str
) -> float:
    r"""Error :math:`\lVert y - y^* \rVert / \lVert y^* \rVert` of the sum over neighbours at random targets.

    :math:`y^*` is the definition in float64, over the same neighbours or over ``"all"`` points of the cloud.
    """
    actual = conv.aggregate_neighbors(x, pos, neighbors, batch=batch).double()
    kernel = copy.deepcopy(conv.kernel).double()
    kernel.reset_domain()  # drops the range seen in training, because the definition has no such bound
    generator = torch.Generator().manual_seed(1)
    summed = None if against == "all" else neighbors
    count = max(8, min(64, (1 << 22) // len(x)))
    targets = torch.randperm(len(x), generator=generator)[:count].to(x.device)
    expected = torch.zeros(len(targets), x.size(1), dtype=torch.float64, device=x.device)
    for row, i in enumerate(targets.tolist()):
        if summed is None:
            sources = (batch == batch[i]).nonzero().squeeze(1)
        else:
            sources = summed.edge_index[0, summed.ptr[i] : summed.ptr[i + 1]]
        for part in sources.split(PAIRS):
            values = kernel(pos[i].double() - pos[part].double())
            expected[row] += (values * x[part].double()).sum(dim=0)
    return ((actual[targets] - expected).norm() / expected.norm()).item()
