"""PyG's EdgeIndex wherever edges go: the same values and gradients."""

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from ccnn_geo import SepFlexConv, testing
from ccnn_geo.neighbors import build_neighbors, knn_graph
from ccnn_geo.nn.conv.plan import PointPlan
from tests.law.pyg_networks import ARGS, cloud, network


def answers(module, x, pos, **given):
    """The output, and the gradients of a sum of it with respect to features, positions and parameters."""
    x, pos = x.clone().requires_grad_(), pos.clone().requires_grad_()
    out = module(x, pos, **given)
    inputs = [x, pos, *module.parameters()]
    return [out, *torch.autograd.grad(out.square().sum(), inputs, materialize_grads=True)]


@pytest.mark.parametrize("method", ["auto", "edge", "plain"])
@pytest.mark.parametrize("order", ["col", "row", None])
@pytest.mark.parametrize(
    "make", [lambda **k: SepFlexConv(4, 8, 3, **ARGS, **k), network], ids=["layer", "network"]
)
def test_edge_index_with_metadata_is_an_edge_index(make, method, order):
    module, (x, pos) = make(method=method), cloud()
    edge_index = knn_graph(pos, 5)
    by = {"col": edge_index[1], "row": edge_index[0], None: torch.rand(200)}[order].argsort(stable=True)
    edge_index = edge_index[:, by]
    module(x, pos, edge_index=edge_index)  # the first batch
    expected = answers(module, x, pos, edge_index=edge_index)
    given = EdgeIndex(edge_index, sparse_size=(40, 40), sort_order=order)
    plan = PointPlan(pos, edge_index=given, num_neighbors=6)
    for found in (given, given.fill_cache_(), given.to(torch.int32)):
        for a, e in zip(answers(module, x, pos, edge_index=found), expected, strict=True):
            testing.assert_close(a, e)
    testing.assert_close(module(x, pos, edge_index=plan), expected[0])


def test_edge_index_between_two_clouds_and_the_other_way_round():
    (x, pos), target = cloud(), torch.rand(7, 3)
    conv = SepFlexConv(4, 8, 3, **ARGS)
    edges = build_neighbors(pos, num_neighbors=4, pos_dst=target)
    expected = conv((x, None), (pos, target), edges)
    testing.assert_close(conv((x, None), (pos, target), edges.to_edge_index()), expected)
    turned = SepFlexConv(4, 8, 3, **ARGS, flow="target_to_source")
    turned.load_state_dict(conv.state_dict())
    testing.assert_close(turned((x, None), (pos, target), edges.to_edge_index().flip(0)), expected)


def test_a_sample_may_hold_an_edge_index():
    model, (x, pos) = network(), cloud()
    edges = build_neighbors(pos, num_neighbors=6)
    batch = next(iter(DataLoader([Data(x, edges.to_edge_index(), pos=pos)] * 2, batch_size=2)))
    assert isinstance(batch.edge_index, EdgeIndex)
    with torch.no_grad():
        testing.assert_close(model(batch), torch.cat([model(x, pos, edge_index=edges)] * 2))
