"""The plan that layers share, the choice of a path, and the paths inside layers and models."""

import copy
from dataclasses import replace

import pytest
import torch

from ccnn_geo import CCNN, FlexConv, PointPlan, SepFlexConv, testing
from ccnn_geo._base.device_costs import CPU
from ccnn_geo.neighbors import build_neighbors, knn_graph
from ccnn_geo.nn.conv import costs
from ccnn_geo.nn.conv import plan as point_plan_module
from ccnn_geo.nn.conv.kernel_norms import collect_kernel_norms
from tests.pairwise import pairwise

ROUGH = {"kernel_hidden": 6, "omega_0": 1.0, "window_init": 0.4}
SMOOTH = {"kernel": "siren", "kernel_hidden": 6, "omega_0": 0.3, "window_init": 0.3, "window_threshold": 1e-4}


def voxels(n, dim, dtype, device, channels=3):
    pos = ((torch.rand(n, dim, dtype=torch.float64) * 9).floor() - 4) * 0.125
    return torch.randn(n, channels, dtype=torch.float64).to(device, dtype), pos.to(device, dtype)


def cloud(n, dim, dtype, device, channels=3):
    pos = torch.rand(n, dim, dtype=torch.float64) * 2 - 1
    return torch.randn(n, channels, dtype=torch.float64).to(device, dtype), pos.to(device, dtype)


def by_definition(conv, x, pos, batch):
    parts = [testing.plain_sum(conv, x[batch == b], pos[batch == b], pos[batch == b]) for b in batch.unique()]
    return conv.mix(torch.cat(parts))


# Lattice -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    *pairwise(
        {
            "dim": [1, 2, 3],
            "window_init": [0.1, 0.4, 5.0],
            "dtype": [torch.float64, torch.float32],
        }
    )
)
def test_lattice_is_the_definition(dim, window_init, dtype, device):
    conv = SepFlexConv(3, 4, dim, method="lattice", **{**ROUGH, "window_init": window_init}).to(device, dtype)
    x, pos = voxels(50, dim, dtype, device)
    batch = torch.tensor([0] * 20 + [1] + [2] * 29, device=device)
    conv(x, pos, batch=batch, spacing=0.125)
    testing.assert_same_function(
        lambda x: conv(x, pos, batch=batch, spacing=0.125),
        lambda x: by_definition(conv, x, pos, batch),
        (x,),
        list(conv.parameters()),
    )


def test_lattice_equals_edges_with_weights_and_norms(dtype, device):
    x, pos = voxels(60, 3, dtype, device)
    weight = torch.rand(60, device=device, dtype=dtype)
    conv = SepFlexConv(3, 4, 3, **ROUGH).to(device, dtype)
    results = []
    for method in ("edge", "lattice"):
        conv.method = method
        with collect_kernel_norms() as norms:
            results.append((conv(x, pos, knn_graph(pos, 12), weight=weight, spacing=0.125), norms[0]))
    for a, b in zip(*results, strict=True):
        testing.assert_close(a, b)


def test_lattice_says_what_it_needs(device):
    x, pos = cloud(20, 3, torch.float32, device)
    conv = SepFlexConv(3, 4, 3, method="lattice", **ROUGH).to(device)
    with pytest.raises(ValueError, match="no common lattice"):
        conv(x, pos, knn_graph(pos, 4))
    with pytest.raises(ValueError, match=r"one lattice of spacing \(0.1, 0.1, 0.1\)"):
        conv(x, pos, knn_graph(pos, 4), spacing=0.1)
    x, pos = voxels(20, 3, torch.float32, device)
    with pytest.raises(ValueError, match="no gradient"):
        conv(x, pos.requires_grad_(), knn_graph(pos, 4), spacing=0.125)
    with pytest.raises(ValueError, match="depthwise"):
        FlexConv(3, 4, 3, method="lattice", **ROUGH).to(device)(
            x, pos.detach(), knn_graph(pos, 4), spacing=0.125
        )


# Mesh ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_mesh_is_the_definition_to_its_error(dim, dtype, device):
    conv = SepFlexConv(3, 4, dim, method="mesh", **SMOOTH).to(device, dtype)
    x, pos = cloud(50, dim, dtype, device)
    batch = torch.tensor([0] * 20 + [1] + [2] * 29, device=device)
    conv(x, pos, batch=batch)
    testing.assert_same_function(
        lambda x, pos: conv(x, pos, batch=batch),
        lambda x, pos: by_definition(conv, x, pos, batch),
        (x, pos),
        list(conv.parameters()),
        tol=1e-2,  # gradients are rougher than values
    )
    testing.assert_close(conv(x, pos, batch=batch), by_definition(conv, x, pos, batch), 1e-3)


def test_mesh_bipartite_and_far_from_the_origin(device):
    conv = SepFlexConv(3, 4, 3, method="mesh", **SMOOTH).to(device)
    x, pos = cloud(50, 3, torch.float32, device)
    _, target = cloud(11, 3, torch.float32, device)
    conv(x, pos)
    expected = conv.mix(testing.plain_sum(conv, x, pos, target * 1.5))
    testing.assert_close(conv((x, None), (pos, target * 1.5)), expected, 1e-3)
    far = pos.double() + 1e6
    testing.assert_close(conv(x, far), conv(x, pos), 1e-3)


def test_mesh_says_what_it_needs(device):
    x, pos = cloud(20, 3, torch.float32, device)
    with pytest.raises(ValueError, match="all points of a cloud"):
        SepFlexConv(3, 4, 3, method="mesh", **SMOOTH).to(device)(x, pos, knn_graph(pos, 4))
    with pytest.raises(ValueError, match="MLPKernel states no highest frequency"):
        SepFlexConv(3, 4, 3, method="mesh", kernel="mlp", window=None).to(device).eval()(x, pos)
    with pytest.raises(ValueError, match="expected a spacing of at most"):
        SepFlexConv(3, 4, 3, method="mesh", **SMOOTH).to(device)(x, pos, spacing=1.0)
    with pytest.raises(ValueError, match="causal"):
        conv = SepFlexConv(3, 4, 1, method="mesh", causal=True, **SMOOTH).to(device)
        conv(x, pos[:, :1])
    with pytest.raises(ValueError, match=r"cells"):
        SepFlexConv(3, 4, 3, method="mesh", window_init=0.5).to(device)(x, 100 * pos)


@pytest.mark.parametrize("bipartite", [False, True])
def test_mesh_error_is_the_error(bipartite, device):
    x, pos = cloud(200, 3, torch.float32, device)
    target = cloud(150, 3, torch.float32, device)[1] if bipartite else pos
    batch = torch.tensor([0] * 80 + [1] * 120, device=device)
    clouds = (batch, batch[:150]) if bipartite else batch
    for smooth, low, high in (({"window_threshold": 0.1}, 1e-3, 1e-1), ({}, 1e-7, 1e-3)):
        conv = SepFlexConv(3, 4, 3, method="mesh", **{**SMOOTH, **smooth}).to(device)
        points = (pos, target) if bipartite else pos
        conv((x, None), points, batch=clouds)
        exact = copy.deepcopy(conv).double()
        wide, source, dst = x.double(), pos.double(), target.double()
        parts = [
            testing.plain_sum(exact, wide[batch == b], source[batch == b], dst[batch[: len(dst)] == b])
            for b in (0, 1)
        ]
        actual = conv.aggregate_neighbors((x, None), points, batch=clouds).double()
        true = ((actual - torch.cat(parts)).norm() / torch.cat(parts).norm()).item()
        assert low < true < high
        stated = conv.mesh_error(x, points, clouds, samples=1000)
        assert stated == pytest.approx(true, rel=0.2)
    with pytest.raises(ValueError, match="depthwise"):
        FlexConv(3, 4, 3, **SMOOTH).to(device).mesh_error(x, pos)


def test_mesh_norm_is_estimated_on_targets(device):
    x, pos = cloud(60, 3, torch.float32, device)
    conv = SepFlexConv(3, 4, 3, method="mesh", **SMOOTH).to(device)
    conv(x, pos)
    with collect_kernel_norms() as norms:
        conv(x, pos)
        conv.method, conv.num_neighbors = "edge", None
        conv(x, pos)
    testing.assert_close(*norms, 1e-4)  # fewer points than the sample has targets


def test_model_by_mesh_equals_model_by_edges(device):
    model = CCNN(3, 5, 3, hidden_channels=8, num_neighbors=None, method="mesh", **SMOOTH).to(device).double()
    x, pos = cloud(60, 3, torch.float64, device)
    batch = torch.tensor([0] * 25 + [1] * 35, device=device)
    model(x, pos, batch)
    model.eval()
    by_mesh = model(x, pos, batch)
    for conv in model.convs:
        conv.method, conv.num_neighbors = "edge", None
    testing.assert_close(by_mesh, model(x, pos, batch), 5e-3)


# Plan and choice -----------------------------------------------------------------------------------


@pytest.fixture
def searches(monkeypatch):
    calls = []

    def counted(*args, **kwargs):
        calls.append(kwargs)
        return build_neighbors(*args, **kwargs)

    monkeypatch.setattr(point_plan_module, "build_neighbors", counted)
    return calls


def test_neighbours_are_searched_once_per_forward(searches, device):
    model = CCNN(3, 5, 3, hidden_channels=8, num_neighbors=8, **ROUGH).to(device)
    x, pos = cloud(40, 3, torch.float32, device)
    model(x, pos)
    assert len(searches) == 1
    plan = model.plan(pos)
    model(x, pos, edge_index=plan), model(x, pos, edge_index=plan)
    assert len(searches) == 2
    model(x, pos, edge_index=knn_graph(pos, 8))
    assert len(searches) == 2


def test_a_plan_gives_what_its_parts_give(dtype, device):
    model = CCNN(3, 5, 3, hidden_channels=8, num_neighbors=8, **ROUGH).to(device, dtype)
    x, pos = cloud(40, 3, dtype, device)
    batch = torch.tensor([0] * 15 + [1] * 25, device=device)
    expected = model(x, pos, batch)
    model.eval(), model.train()
    testing.assert_close(model(x, pos, batch, edge_index=model.plan(pos, batch)), expected, 1e-6)


@pytest.mark.parametrize("bipartite", [False, True])
def test_edges_in_reach_are_enough(bipartite, searches, device):
    x, pos = cloud(80, 3, torch.float64, device)
    target = cloud(30, 3, torch.float64, device)[1] if bipartite else pos
    conv = SepFlexConv(3, 4, 3, **{**ROUGH, "window_init": 0.1}).double().to(device)
    conv((x, None), (pos, target), build_neighbors(pos, num_neighbors=None, pos_dst=target))
    plan = PointPlan((pos, target) if bipartite else pos, dtype=torch.float64)
    assert repr(plan) == f"PointPlan({len(pos)} -> {len(plan.given_pos[1])} points, num_neighbors=None)"
    actual = conv((x, None), (pos, target), plan)
    assert searches[-1]["radius"] is not None and plan._within[1].num_edges < 80 * len(target) / 4
    testing.assert_close(actual, conv.mix(testing.plain_sum(conv, x, pos, target)))


def test_extent_is_the_largest_offset(device):
    _, pos = cloud(30, 3, torch.float32, device)
    _, target = cloud(12, 3, torch.float32, device)
    batch = torch.tensor([0] * 10 + [2] * 20, device=device)
    batch_dst = torch.tensor([0] * 3 + [1] * 4 + [2] * 5, device=device)
    for points, clouds in (((pos, pos), (batch, batch)), ((pos, 2 * target), (batch, batch_dst))):
        plan = PointPlan(points if points[0] is not points[1] else pos, clouds)
        same = clouds[1].unsqueeze(1) == clouds[0]
        offsets = (points[1].unsqueeze(1) - points[0]).abs()[same]
        testing.assert_close(plan.extent, offsets.amax(dim=0), 1e-6)
        testing.assert_close(plan.extent, PointPlan(points, clouds, plan.neighbors).extent, 1e-6)
        assert plan.num_pairs == same.sum()


def test_auto_takes_the_cheapest_and_says_why():
    _, vox = voxels(2000, 3, torch.float32, "cpu")
    conv = SepFlexConv(64, 64, 3, window_init=0.5)
    found = conv.explain_plan(vox, knn_graph(vox, 64))
    assert found.method == "lattice"
    assert found.seconds["lattice"] < found.seconds["edge"]
    assert "edges or num_neighbors are given" in found.obstacles["mesh"]
    assert str(found).startswith("method: lattice\n  lattice: ")

    _, pos = cloud(4000, 3, torch.float32, "cpu")
    assert conv.explain_plan(pos, knn_graph(pos, 8)).method == "edge"
    assert "no common lattice" in conv.explain_plan(pos).obstacles["lattice"]
    assert "jump of 0.1" in conv.explain_plan(pos).obstacles["mesh"]

    smooth = SepFlexConv(64, 64, 3, **SMOOTH)
    assert smooth.explain_plan(pos).method == "mesh"
    assert smooth.explain_plan(pos[:20]).method == "edge"
    assert SepFlexConv(64, 64, 3, method="plain").explain_plan(pos[:9]).method == "plain"


def test_model_explains_every_layer():
    model = CCNN(3, 5, 3, hidden_channels=8, num_blocks=2, num_neighbors=8, **ROUGH)
    found = model.explain_plan(cloud(40, 3, torch.float32, "cpu")[1])
    assert list(found) == ["stem", "blocks.0.conv", "blocks.1.conv"]
    assert {e.method for e in found.values()} == {"edge"}


@pytest.mark.parametrize("method", ["edge", "plain"])
def test_norms_of_many_targets_are_estimated_without_bias(method, monkeypatch):
    monkeypatch.setattr("ccnn_geo.nn.conv.kernel_norms.SAMPLE_TARGETS", 30)
    x, pos = cloud(300, 2, torch.float32, "cpu")
    conv = SepFlexConv(x.size(1), 2, 2, method=method, num_taps=1, omega_0=1.0, window_init=0.3)
    graph = knn_graph(pos, 8)

    def norm(targets):
        monkeypatch.setattr("ccnn_geo.nn.conv.kernel_norms.SAMPLE_TARGETS", targets)
        with collect_kernel_norms() as norms, torch.no_grad():
            conv(x, pos, graph)
        return norms[0]

    exact = norm(300)
    samples = torch.stack([norm(30) for _ in range(60)])
    assert samples.std() > 0
    assert (samples.mean() - exact).abs() < 4 * samples.std() / 60**0.5


@pytest.mark.parametrize("path", ["edge", "lattice"])
def test_costs_are_those_of_the_code_that_runs(path, device, monkeypatch):
    kernel = SepFlexConv(3, 4, 3, **ROUGH).to(device).kernel
    _, pos = voxels(50, 3, torch.float32, device)
    plan = PointPlan(pos, num_neighbors=8, spacing=0.125)
    # what is left: the kernel of edges; edges that are listed
    free = replace(CPU, listed=0.0) if path == "edge" else replace(CPU, filter=0.0, product=0.0)

    def seconds(compiled):
        monkeypatch.setattr(costs, "native_function", lambda name: name if compiled else None)
        monkeypatch.setattr(costs, "has_compiled", lambda kind: compiled)
        if path == "edge":
            return costs.edge_seconds(kernel, plan, free)
        return costs.lattice_seconds(kernel, plan, (0.125,) * 3, free)

    share = CPU.compiled_share if path == "edge" else CPU.lattice_compiled_share
    assert seconds(True) == pytest.approx(share * seconds(False)) and seconds(False) > 0
