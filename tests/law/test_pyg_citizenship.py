"""Layers and networks inside PyG's own machinery: containers, loaders, sampled blocks, summaries, data sets."""

import inspect
import re

import numpy as np
import pytest
import torch
from torch_geometric import transforms as T
from torch_geometric import typing
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.loader import DataLoader, NeighborLoader
from torch_geometric.nn import Sequential, global_mean_pool, summary
from torch_geometric.utils import k_hop_subgraph

from ccnn_geo import CCNN, FlexConv, SepFlexConv, testing
from ccnn_geo.neighbors import knn_graph
from ccnn_geo.transforms import BuildNeighbors, FarthestSubset, NormalizeSphere, PointFeatures
from tests.law.pyg_networks import ARGS, cloud, network

# Sequential -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [SepFlexConv, FlexConv])
def test_sequential_is_its_parts_one_after_the_other(cls):
    first, second, head = cls(4, 8, 3, **ARGS), cls(8, 6, 3, **ARGS), torch.nn.Linear(6, 2)
    model = Sequential(
        "x, pos, edge_index, batch",
        [
            (first, "x, pos, edge_index -> h"),
            torch.nn.ReLU(),
            (second, "h, pos, edge_index -> h"),
            (global_mean_pool, "h, batch -> h"),
            head,
        ],
    )
    (x, pos), batch = cloud(), torch.arange(40) // 20
    edge_index = knn_graph(pos, 5, batch)
    out = model(x, pos, edge_index, batch)
    h = second(first(x, pos, edge_index).relu(), pos, edge_index)
    expected = head(torch.stack([h[:20].mean(0), h[20:].mean(0)]))
    testing.assert_close(out, expected)
    parameters = [p for module in (first, second, head) for p in module.parameters()]
    assert {id(p) for p in model.parameters()} == {id(p) for p in parameters}
    for a, e in zip(
        *(torch.autograd.grad(o.square().sum(), parameters) for o in (out, expected)), strict=True
    ):
        testing.assert_close(a, e)


# Signatures and transforms --------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [SepFlexConv, FlexConv])
def test_signature_is_what_the_reference_describes(cls):
    described = re.findall(r"^        (?:\*\*)?(\w+): ", SepFlexConv.__doc__.split("Shapes:")[0], re.M)
    assert described == list(inspect.signature(cls).parameters)


def test_torch_func_takes_the_definition():
    """With ``method="plain"`` and given edges: gradients, and several features or models at once."""
    conv, (x, pos) = SepFlexConv(4, 3, 3, method="plain", **ARGS), cloud()
    edge_index = knn_graph(pos, 5)
    out = conv(x, pos, edge_index)
    conv.eval()
    parameters = {name: p.detach() for name, p in conv.named_parameters()}

    def of(parameters, x):
        return torch.func.functional_call(conv, parameters, (x, pos, edge_index))

    both = torch.func.vmap(of, in_dims=(None, 0))(parameters, torch.stack([x, 2 * x]))
    testing.assert_close(both[0], out)
    testing.assert_close(both[1], conv(2 * x, pos, edge_index))
    pair = {name: torch.stack([p, p]) for name, p in parameters.items()}
    testing.assert_close(torch.func.vmap(of, in_dims=(0, None))(pair, x)[1], out)
    found = torch.func.grad(lambda p: of(p, x).square().sum())(parameters)
    expected = torch.autograd.grad(out.square().sum(), list(conv.parameters()))
    for a, e in zip(found.values(), expected, strict=True):
        testing.assert_close(a, e)


# Loaders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readout", ["global", "node"])
@pytest.mark.parametrize("given", [False, True], ids=["search", "edges"])
def test_loader_of_ragged_clouds_answers_as_for_each_alone(readout, given):
    clouds = [Data(*cloud(n)[:1], pos=torch.rand(n, 3), y=torch.tensor([n])) for n in (30, 5, 1, 17, 8)]
    model = network(readout)
    if given:
        clouds = [BuildNeighbors(6)(data) for data in clouds]
    with torch.no_grad():
        alone = [model(data) for data in clouds]
        batches = [model(batch) for batch in DataLoader(clouds, batch_size=2)]
    assert [len(b) for b in batches] == ([2, 2, 1] if readout == "global" else [35, 18, 8])
    testing.assert_close(torch.cat(batches), torch.cat(alone), 1e-5)


# Sampled blocks: what NeighborLoader gives, without the compiled sampler that it needs ---------------


@pytest.mark.parametrize("method", ["auto", "plain"])
def test_subgraph_of_all_hops_gives_the_seeds_what_the_whole_graph_gives(method):
    """A batch of ``NeighborLoader`` with all neighbours: relabelled points, seeds first, edges of two hops."""
    model, (x, pos) = network(method=method), cloud(200)
    edge_index = knn_graph(pos, 6)
    seeds = torch.tensor([150, 3, 77])
    subset, edges, mapping, _ = k_hop_subgraph(
        seeds, 3, edge_index, relabel_nodes=True
    )  # stem and two blocks
    assert len(subset) < 200
    expected = model(x, pos, edge_index=edge_index)
    testing.assert_close(model(x[subset], pos[subset], edge_index=edges)[mapping], expected[seeds], 1e-5)


@pytest.mark.filterwarnings("ignore:.*without a 'pyg-lib' installation is deprecated:UserWarning")
def test_neighbor_loader_gives_the_seeds_what_the_whole_graph_gives():
    if not (typing.WITH_PYG_LIB or typing.WITH_TORCH_SPARSE):
        pytest.skip("NeighborLoader needs pyg-lib or torch-sparse")
    model, (x, pos) = network(), cloud(200)
    edge_index = knn_graph(pos, 6)
    expected = model(x, pos, edge_index=edge_index)
    data = Data(x=x, pos=pos, edge_index=edge_index)
    seen = 0
    for block in NeighborLoader(data, num_neighbors=[-1] * 3, batch_size=32):
        seeds = block.n_id[: block.batch_size]
        testing.assert_close(model(block)[: block.batch_size], expected[seeds], 1e-5)
        seen += len(seeds)
    assert seen == 200


def hop(targets, edge_index):
    """Sources of the targets, these first, and the edges between them by their places: a bipartite block."""
    source, target = edge_index[:, torch.isin(edge_index[1], targets)]
    others = source[~torch.isin(source, targets)].unique()
    nodes = torch.cat([targets, others])
    place = torch.full((int(edge_index.max()) + 1,), -1)
    place[nodes] = torch.arange(len(nodes))
    return nodes, torch.stack([place[source], place[target]])


@pytest.mark.parametrize("cls", [SepFlexConv, FlexConv])
@pytest.mark.parametrize("method", ["auto", "edge", "plain"])
def test_bipartite_blocks_give_the_seeds_what_the_whole_graph_gives(cls, method):
    first, second = cls(4, 8, 3, method=method, **ARGS), cls(8, 5, 3, method=method, **ARGS)
    x, pos = cloud(200)
    edge_index = knn_graph(pos, 6)
    expected = second(first(x, pos, edge_index).relu(), pos, edge_index)
    seeds = torch.tensor([150, 3, 77])
    inner, inner_edges = hop(seeds, edge_index)
    outer, outer_edges = hop(inner, edge_index)
    h = first((x[outer], None), (pos[outer], pos[inner]), outer_edges).relu()
    out = second((h, None), (pos[inner], pos[seeds]), inner_edges)
    assert out.shape == (3, 5)
    testing.assert_close(out, expected[seeds], 1e-5)
    # gradients reach the inputs that the whole graph's do, and no others
    loss, whole = out.square().sum(), expected[seeds].square().sum()
    parameters = [*first.parameters(), *second.parameters()]
    for a, e in zip(*(torch.autograd.grad(s, parameters) for s in (loss, whole)), strict=True):
        testing.assert_close(a, e, 1e-4)


def test_sampled_edges_in_any_order_are_summed_by_the_definition():
    conv, (x, pos) = SepFlexConv(4, 8, 3, **ARGS).double(), cloud(50)
    x, pos = x.double(), pos.double()
    edge_index = knn_graph(pos, 20)[:, torch.randperm(1000)[:170]]  # some points keep no edge
    out = conv(x, pos, edge_index)
    sums = torch.zeros(50, 4, dtype=torch.double)
    for source, target in edge_index.T.tolist():
        sums[target] += conv.kernel.definition(pos[target] - pos[source]) * x[source]
    testing.assert_close(out, conv.mix(sums))


# Summary --------------------------------------------------------------------------------------------


def test_summary_counts_what_there_is():
    pytest.importorskip("tabulate", reason="PyG's summary needs tabulate")
    model, (x, pos) = network("global"), cloud()
    table = summary(model, x, pos)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line
    ]
    found = {re.sub(r"^[│├└─\s]*", "", name): (given, out, params) for name, given, out, params in rows[2:]}
    count = {"CCNN": model, "(stem)SepFlexConv": model.stem, "(head)Head": model.head}
    for name, module in count.items():
        assert found[name][2] == f"{sum(p.numel() for p in module.parameters()):,}", name
    assert found["CCNN"][:2] == ("[40, 4], [40, 3]", "[1, 3]")
    assert found["(stem)SepFlexConv"][:2] == ("[40, 4]", "[40, 8]")
    assert [row for row in rows if "(kernel)" in row[0]] == []  # a layer is a leaf, as PyG's own


# Data sets ------------------------------------------------------------------------------------------


class Cubes(InMemoryDataset):
    """Meshes of boxes, prepared once by ``pre_transform``."""

    def __init__(self, root, transform=None, pre_transform=None):
        super().__init__(root, transform, pre_transform, log=False)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self):
        return "cubes.pt"

    def process(self):
        corners = torch.tensor([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
        quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
        face = torch.tensor([t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])]).T
        meshes = [Data(pos=corners * torch.tensor([1.0, 1.0, h]), face=face, y=h) for h in (1.0, 2.0, 3.0)]
        self.save([self.pre_transform(mesh) for mesh in meshes], self.processed_paths[0])


def test_a_chain_of_ours_and_theirs_prepares_a_data_set(tmp_path):
    chain = T.Compose(
        [
            T.SamplePoints(256, include_normals=True),
            NormalizeSphere(),
            FarthestSubset(48, random=False),
            BuildNeighbors(6),
        ]
    )
    stored = Cubes(str(tmp_path), PointFeatures(["constant", "normal_outer", "pos"]), chain)
    assert repr(chain) == (tmp_path / "processed" / "pre_transform.pt").exists() * repr(chain)
    model = CCNN(10, 3, 3, 8, 1, num_neighbors=6, **ARGS)
    batch = next(iter(DataLoader(stored, batch_size=3)))
    assert batch.x.shape == (144, 10) and batch.edge_index.shape == (2, 864)
    for i, data in enumerate(stored):
        pos, edges = data.pos.double().numpy(), data.edge_index.numpy()
        # of the unit sphere, on the faces of the box that their normals say
        assert np.linalg.norm(pos, axis=1).max() <= 1 + 1e-6
        axis = data.normal.abs().argmax(1).numpy()
        height = pos[np.arange(48), axis]
        assert [len(np.unique(height[axis == d].round(4))) for d in range(3)] == [2, 2, 2]
        # each point sees its six nearest
        distance = np.linalg.norm(pos[:, None] - pos, axis=-1)
        assert (edges[1] == np.repeat(np.arange(48), 6)).all()
        np.testing.assert_allclose(
            distance[edges[0], edges[1]].reshape(48, 6), np.sort(distance)[:, :6], atol=1e-6
        )
        # spread evenly: no two as near as random points come
        assert np.sort(distance)[:, 1].min() > 0.5 * np.sort(distance)[:, 1].max()
        assert data.y == i + 1
    out = model(batch)  # the edges are those of a search
    testing.assert_close(out, model(batch.x, batch.pos, batch.batch), 1e-5)
    again = Cubes(str(tmp_path), None, chain)  # stored once
    assert torch.equal(again[1].pos, stored[1].pos) and again[1].x is None
