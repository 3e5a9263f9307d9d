"""Numbers of clouds and points may be int32 wherever they are taken, and give the numbers of int64."""

from itertools import cycle

import pytest
import torch
from torch_geometric.data import Batch, Data

from ccnn_geo import CCNN, FlexConv, PointPlan, SepFlexConv
from ccnn_geo.functional.mesh.conv import mesh_conv
from ccnn_geo.functional.representations import to_grid, voxelize
from ccnn_geo.neighbors import Neighbors, build_neighbors, knn_graph, radius_graph
from ccnn_geo.neighbors.measure import cell_measure, density_measure, uniform_measure
from ccnn_geo.neighbors.spacing import estimate_spacing
from ccnn_geo.nn.joint import JointCCNN
from ccnn_geo.nn.pooling import pool_clouds
from ccnn_geo.transforms import BuildNeighbors

ARGS = {"kernel_hidden": 4, "omega_0": 0.5, "window_init": 0.4}
SIZES = {"hidden_channels": 6, "num_blocks": 1, "num_neighbors": 5, **ARGS}
N = 30
LATTICE = torch.cartesian_prod(torch.arange(2.0), torch.arange(3.0), torch.arange(5.0)) - torch.tensor(
    [0.5, 1, 2]
)


def network(**given):
    return CCNN(3, 4, 3, **{**SIZES, **given})


def layer(cls=SepFlexConv, **given):
    return cls(3, 4, 3, **{**ARGS, **given})


def on_data(model, x, pos, batch):
    return model(Data(x=x, pos=pos, batch=batch))


def on_batch(model, x, pos, batch):
    data = Batch.from_data_list([Data(x=x[batch == b], pos=pos[batch == b]) for b in range(3)])
    data.batch, data.ptr = batch, data.ptr.to(batch.dtype)
    return model(data)


def pair(conv, x, pos, batch):
    return conv((x, None), (pos, pos[::2]), batch=(batch, batch[::2]))


SEES_ALL = {"num_neighbors": None, "window_threshold": 1e-4}
ENTRIES = {
    "network": lambda x, pos, b: network()(x, pos, b),
    "network, largest": lambda x, pos, b: network(pool="mean_max")(x, pos, b),
    "network, node": lambda x, pos, b: network(readout="node")(x, pos, b),
    "network, s4": lambda x, pos, b: network(block="s4")(x, pos, b),
    "network, flex": lambda x, pos, b: network(block="flex", drop_path=0.5)(x, pos, b),
    "network, density": lambda x, pos, b: network(measure="density", pool="mean_max")(x, pos, b),
    "network, quadrature": lambda x, pos, b: network(measure="quadrature", num_neighbors=None)(x, pos, b),
    "network, spacing": lambda x, pos, b: network(init_spacing="auto", window_init=1.0)(x, pos, b),
    "network, whole": lambda x, pos, b: network(**SEES_ALL, omega_0=0.1)(x, pos, b),
    "network, mesh": lambda x, pos, b: network(**SEES_ALL, method="mesh")(x, pos, b),
    "network, plain": lambda x, pos, b: network(method="plain")(x, pos, b),
    "network, more clouds": lambda x, pos, b: network().eval()(x, pos, b, batch_size=5),
    "network, weights": lambda x, pos, b: network()(x, pos, b, weight=torch.ones(N)),
    "network, plan": lambda x, pos, b: network()(x, pos, b, PointPlan(pos, b, num_neighbors=5)),
    "network, Data": lambda x, pos, b: on_data(network(), x, pos, b),
    "network, Batch": lambda x, pos, b: on_batch(network(pool="mean_max"), x, pos, b),
    "joint": lambda x, pos, b: JointCCNN({"a": network(), "b": network()})("a", x, pos, batch=b),
    "edge": lambda x, pos, b: layer(method="edge")(x, pos, batch=b),
    "dense": lambda x, pos, b: layer(FlexConv)(x, pos, batch=b),
    "pairs": lambda x, pos, b: pair(layer(), x, pos, b),
    "pairs, mesh": lambda x, pos, b: pair(layer(method="mesh", **SEES_ALL), x, pos, b),
    "lattice": lambda x, pos, b: layer(method="lattice")(x, LATTICE, batch=b, spacing=1.0),
    "density": lambda x, pos, b: layer(measure="density")(x, pos, batch=b),
    "quadrature": lambda x, pos, b: layer(measure="quadrature", num_neighbors=None)(x, pos, batch=b),
    "mesh_conv": lambda x, pos, b: mesh_conv(x, pos, None, layer(**SEES_ALL).kernel, b),
    "mesh_error": lambda x, pos, b: torch.tensor(layer(**SEES_ALL).mesh_error(x, pos, b)),
    "knn_graph": lambda x, pos, b: knn_graph(pos, 4, b),
    "knn_graph, torch": lambda x, pos, b: knn_graph(pos, 4, b, backend="torch"),
    "knn_graph, scipy": lambda x, pos, b: knn_graph(pos, 4, b, backend="scipy"),
    "radius_graph": lambda x, pos, b: radius_graph(pos, 0.5, b),
    "pair graph": lambda x, pos, b: build_neighbors(pos, b, 3, pos_dst=pos[::2], batch_dst=b[::2]).edge_index,
    "BuildNeighbors": lambda x, pos, b: BuildNeighbors(4)(Data(pos=pos, batch=b)).edge_index,
    "estimate_spacing": lambda x, pos, b: estimate_spacing(pos, b),
    "uniform_measure": lambda x, pos, b: uniform_measure(pos, b),
    "density_measure": lambda x, pos, b: density_measure(pos, b),
    "cell_measure": lambda x, pos, b: cell_measure(pos[::2], pos, b[::2], b),
    "pool_clouds": lambda x, pos, b: pool_clouds("mean_max", x, b),
    "to_grid": lambda x, pos, b: to_grid(x, LATTICE, b, size=(2, 3, 5), spacing=1.0),
    "voxelize": lambda x, pos, b: torch.cat([t.float().flatten() for t in voxelize(pos, 4, x, b)]),
}


def run(entry, batch, device="cpu"):
    torch.manual_seed(0)
    x, pos = torch.randn(N, 3), torch.rand(N, 3) * 2 - 1
    torch.manual_seed(1)
    return ENTRIES[entry](x, pos, batch)


@pytest.mark.parametrize("entry", ENTRIES)
def test_int32_batch_gives_the_numbers_of_int64(entry):
    batch = torch.arange(N) // 10
    found, expected = run(entry, batch.int()), run(entry, batch)
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


OTHERS = [torch.int16, torch.uint8, torch.bool, torch.float32, torch.float16]
REFUSED = [*zip(ENTRIES, cycle(OTHERS)), *(("pool_clouds", dtype) for dtype in OTHERS)]
"""A type each, and all of them once: they are told apart in one place."""


@pytest.mark.parametrize(("entry", "dtype"), dict.fromkeys(REFUSED))
def test_other_types_are_refused_by_name(entry, dtype):
    with pytest.raises(TypeError, match=rf"batch.* must be int64 or int32, got {dtype}"):
        run(entry, (torch.arange(N) // 10).to(dtype))


def test_cells_of_many_clouds_are_counted_beyond_int32():
    batch = torch.tensor([0, 70_000], dtype=torch.int32)  # times 40 ** 3 cells
    pos = torch.zeros(2, 3)
    assert voxelize(pos, 40, batch=batch)[2].tolist() == [0, 70_000]


@pytest.mark.parametrize("method", ["auto", "edge", "plain"])
@pytest.mark.parametrize("cls", [SepFlexConv, FlexConv])
def test_int32_edges_give_the_numbers_of_int64(cls, method):
    x, pos = torch.randn(N, 3), torch.rand(N, 3)
    edges = knn_graph(pos, 4)[:, torch.randperm(4 * N)]
    conv = layer(cls, method=method)
    expected = conv(x, pos, edges)
    torch.testing.assert_close(conv(x, pos, edges.int()), expected, rtol=0, atol=0)
    flipped = layer(cls, method=method, flow="target_to_source")
    flipped.load_state_dict(conv.state_dict())
    torch.testing.assert_close(flipped(x, pos, edges.flip(0).int()), expected, rtol=0, atol=1e-6)
    model = network(method=method).eval()
    model(x, pos, edge_index=edges)
    torch.testing.assert_close(
        model(Data(x=x, pos=pos, edge_index=edges.int())), model(x, pos, edge_index=edges), rtol=0, atol=0
    )


def test_neighbours_by_hand_are_int64():
    edges = build_neighbors(torch.rand(9, 3), None, 3)
    for index, ptr in ((edges.edge_index.int(), edges.ptr), (edges.edge_index, edges.ptr.int())):
        with pytest.raises(
            TypeError, match=r"Neighbors: expected edge_index and ptr of int64, got torch\.int"
        ):
            Neighbors(index, ptr, 9, 9)
