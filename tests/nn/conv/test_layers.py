"""The layer as a citizen of torch and PyG: contract, errors, initialisation, memory."""

import copy
import sys

import pytest
import torch
from torch_geometric.explain import Explainer, GNNExplainer
from torch_geometric.nn import Sequential

from ccnn_geo import FlexConv, SepFlexConv, testing
from ccnn_geo.experiments.benchmarks.timing import forget_peak, peak_memory
from ccnn_geo.neighbors import build_neighbors, knn_graph
from ccnn_geo.nn.conv.measures import UniformMeasure

ARGS = {"kernel_hidden": 6, "omega_0": 1.0, "window_init": 0.5}


def cloud(n=30, dim=3, channels=4):
    return torch.randn(n, channels), torch.rand(n, dim) * 2 - 1


def test_defaults_and_repr():
    conv = SepFlexConv(4, 8, dim=3)
    assert str(conv) == "SepFlexConv(4, 8, dim=3, kernel=MAGNet, num_neighbors=256)"
    assert "causal=True" in str(SepFlexConv(4, 8, dim=1, causal=True))
    assert (
        str(FlexConv(4, 8, dim=2, kernel="siren")) == "FlexConv(4, 8, dim=2, kernel=SIREN, num_neighbors=256)"
    )


def test_shapes_on_every_carrier(device):
    conv = SepFlexConv(4, 8, dim=2, **ARGS).to(device)
    x, pos = cloud(30, 2)
    x, pos = x.to(device), pos.to(device)
    edge_index = knn_graph(pos, 5)
    assert conv(x, pos, edge_index).shape == (30, 8)
    assert conv((x, None), (pos, pos[:7]), knn_graph(pos, 5)[:, : 7 * 5]).shape == (7, 8)
    assert conv(x, pos, batch=torch.arange(30, device=device) // 10).shape == (30, 8)
    assert conv(torch.randn(3, 4, 6, 9, device=device)).shape == (3, 8, 6, 9)


def test_bipartite_on_the_same_points_is_square():
    conv = SepFlexConv(4, 8, dim=3, **ARGS)
    x, pos = cloud()
    edge_index = knn_graph(pos, 5)
    assert torch.equal(conv((x, None), (pos, pos), edge_index), conv(x, pos, edge_index))


def test_without_edges_all_points_of_a_cloud_are_neighbours():
    conv = SepFlexConv(4, 8, dim=3, num_neighbors=5, **ARGS)
    x, pos = cloud()
    batch = torch.arange(30) // 20
    everything = build_neighbors(pos, batch, num_neighbors=None)
    assert torch.equal(conv(x, pos, batch=batch), conv(x, pos, everything))
    conv.method = "edge"
    assert torch.equal(conv(x, pos), conv(x, pos, knn_graph(pos, 5)))


def test_extra_arguments_reach_message_passing():
    x, pos = cloud()
    edge_index = knn_graph(pos, 5)
    conv = SepFlexConv(4, 8, dim=3, aggr="mean", **ARGS)
    assert conv.aggr == "mean"
    add = SepFlexConv(4, 8, dim=3, **ARGS)
    conv(x, pos, edge_index)
    add.load_state_dict(conv.state_dict())
    mean = conv.aggregate_neighbors(x, pos, edge_index)
    testing.assert_close(mean * 5, add.aggregate_neighbors(x, pos, edge_index))


@pytest.mark.parametrize("method", ["auto", "plain"])
def test_flow_turns_the_edges_round(method):
    x, pos = cloud()
    edge_index = knn_graph(pos, 5)
    conv = SepFlexConv(4, 8, dim=3, **ARGS)
    turned = SepFlexConv(4, 8, dim=3, flow="target_to_source", method=method, **ARGS)
    expected = conv(x, pos, edge_index)
    turned.load_state_dict(conv.state_dict())
    testing.assert_close(turned(x, pos, edge_index.flip(0)), conv(x, pos, edge_index))
    testing.assert_close(turned(x, pos, batch=None), conv(x, pos))
    assert expected.shape == (30, 8)


def test_hooks_get_their_messages():
    x, pos = cloud()
    edge_index = knn_graph(pos, 5)
    conv = SepFlexConv(4, 8, dim=3, **ARGS)
    expected = conv(x, pos, edge_index)
    seen = []
    handle = conv.register_message_forward_hook(lambda module, inputs, out: seen.append(out.shape))
    testing.assert_close(conv(x, pos, edge_index), expected)
    assert seen == [(150, 4)]
    handle.remove()


def test_explainer_falls_back_to_messages():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = SepFlexConv(4, 3, dim=3, **ARGS)

        def forward(self, x, edge_index, pos):
            return self.conv(x, pos, edge_index)

    x, pos = cloud()
    edge_index = knn_graph(pos, 5)
    net = Net().eval()
    expected = net(x, edge_index, pos)
    explainer = Explainer(
        net,
        algorithm=GNNExplainer(epochs=5),
        explanation_type="model",
        node_mask_type="attributes",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"},
    )
    explanation = explainer(x, edge_index, pos=pos, index=3)
    mask = explanation.edge_mask
    assert mask.shape == (150,)
    targets = edge_index[1]
    assert mask[targets == 3].max() > 0 and mask[targets != 3].max() == 0  # only edges into point 3 matter
    testing.assert_close(net(x, edge_index, pos), expected)


def test_works_in_pyg_sequential():
    model = Sequential(
        "x, pos, edge_index",
        [
            (SepFlexConv(4, 8, dim=3, **ARGS), "x, pos, edge_index -> x"),
            torch.nn.ReLU(),
            torch.nn.Linear(8, 2),
        ],
    )
    x, pos = cloud()
    assert model(x, pos, knn_graph(pos, 5)).shape == (30, 2)


@pytest.mark.parametrize("cls", [SepFlexConv, FlexConv])
def test_deepcopy_and_state_dict(cls):
    x, pos = cloud()
    edge_index = knn_graph(pos, 5)
    conv = cls(4, 8, dim=3, **ARGS)
    out = conv(x, pos, edge_index)
    out.sum().backward()
    twin = copy.deepcopy(conv)
    assert torch.equal(twin(x, pos, edge_index), out)
    other = cls(4, 8, dim=3, **ARGS)
    other.load_state_dict(conv.state_dict())
    before = {k: v.clone() for k, v in other.state_dict().items()}
    assert torch.equal(other(x, pos, edge_index), out)
    for name, value in other.state_dict().items():  # the first batch of a loaded layer rescales nothing
        assert torch.equal(value, before[name]), name
    other.reset_parameters()
    assert other.scale.moment == 0
    assert not torch.equal(other(x, pos, edge_index), out)


def test_kernel_is_scaled_once_by_the_first_batch():
    conv = SepFlexConv(64, 64, dim=2, kernel_hidden=16, omega_0=5.0)
    x = torch.randn(4, 64, 32, 32)
    assert conv.aggregate_neighbors(x).square().mean().item() == pytest.approx(1.0, rel=1e-3)
    weight = conv.kernel.network.output.weight.clone()
    conv(10 * x)
    assert torch.equal(conv.kernel.network.output.weight, weight)


def test_measured_taps_of_white_signals_are_those_of_the_window():
    conv = SepFlexConv(64, 64, dim=1, kernel_hidden=32, omega_0=300.0)
    conv(torch.randn(8, 64, 1024))
    rel, _ = conv.kernel_taps((1024,))
    with torch.no_grad():
        power = conv.kernel.network(rel).square().mean() * conv.scale.moment  # before the scale
        expected = conv.kernel.window(rel).square().sum() * power
    assert conv.scale.moment.item() == pytest.approx(expected.item(), rel=0.25)


def test_declared_taps_need_no_batch():
    torch.manual_seed(3)
    declared = SepFlexConv(4, 4, dim=1, num_taps=25.0, **ARGS)
    torch.manual_seed(3)
    measured = SepFlexConv(4, 4, dim=1, **ARGS)
    testing.assert_close(
        declared.kernel.network.output.weight * 5, measured.kernel.network.output.weight.detach(), 1e-6
    )
    before = declared.kernel.network.output.weight.clone()
    declared(torch.randn(2, 4, 20))
    assert torch.equal(declared.kernel.network.output.weight, before)


def test_silent_first_batch_does_not_break_the_scale():
    conv = SepFlexConv(4, 4, dim=1, **ARGS)
    assert conv(torch.zeros(2, 4, 20)).isfinite().all()
    assert conv.scale.moment == 0
    assert conv(torch.randn(2, 4, 20)).isfinite().all()
    assert conv.scale.moment > 0


def test_density_measure_evens_out_repeated_points():
    conv = SepFlexConv(4, 4, dim=3, measure="density", **ARGS)
    x, pos = cloud(200)
    conv.eval()(x, pos)
    half = pos[:, 0] < 0
    thick_x, thick_pos = torch.cat([x, x[half]]), torch.cat([pos, pos[half] + 1e-3])
    plain = copy.deepcopy(conv)
    plain.measure = UniformMeasure()
    drift = (conv(thick_x, thick_pos)[:200] - conv(x, pos)).norm() / conv(x, pos).norm()
    plain_drift = (plain(thick_x, thick_pos)[:200] - plain(x, pos)).norm() / plain(x, pos).norm()
    assert drift < 0.9 * plain_drift


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((0, 4, 3), {}, "channels >= 1, got in=0"),
        ((4, 4, 4), {}, "dim 1, 2 or 3, got 4"),
        ((4, 4, 3), {"method": "fast"}, "got 'fast'"),
        ((4, 4, 3), {"measure": "area"}, "got 'area'"),
        ((4, 4, 3), {"kernel": "rbf"}, "got 'rbf'"),
        ((4, 4, 3), {"window": "box"}, "got 'box'"),
        ((4, 4, 3), {"causal": True}, "dim == 1, got dim=3"),
        ((4, 4, 3), {"num_taps": 0}, "num_taps > 0"),
        ((4, 4, 3), {"kernel_radius": -1.0}, "kernel_radius > 0 or None, got -1.0"),
    ],
)
def test_wrong_arguments_are_named(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        SepFlexConv(*args, **kwargs)


@pytest.mark.parametrize(
    ("x", "pos", "message"),
    [
        (torch.randn(5, 3), torch.rand(5, 3), r"expected x \[N, 4\] beside pos, got \[5, 3\]"),
        (torch.randn(5, 4), torch.rand(5, 2), r"pos \[N, 3\], got torch.float32 \[5, 2\]"),
        (torch.randn(5, 4), torch.ones(5, 3, dtype=torch.long), "torch.int64"),
        (torch.randn(5, 4), torch.rand(6, 3), "x has 5 points, pos has 6"),
        (torch.randn(2, 4, 5, 5), None, r"expected a grid \[batch, 4, S0, S1, S2\], got \[2, 4, 5, 5\]"),
    ],
)
def test_wrong_shapes_are_named(x, pos, message):
    with pytest.raises(ValueError, match=message):
        SepFlexConv(4, 4, dim=3)(x, pos)


def test_autocast_keeps_kernel_precision(device):
    conv = SepFlexConv(4, 4, dim=1, kernel_hidden=16, omega_0=50.0).to(device)
    x = torch.randn(2, 4, 256, device=device)
    expected = conv(x)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        actual = conv(x)
    assert ((actual - expected).norm() / expected.norm()).item() < 2e-2  # the pointwise layer runs in bf16


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a process as Linux reports it")
def test_training_at_paper_size_stays_under_one_gigabyte():
    """N=512, k=256, C=140, no edge dropped: for the paper's batch of 8 the plain form needs 6.6 GB; of 2, a fourth."""
    clouds = 2
    pos = torch.nn.functional.normalize(torch.randn(clouds * 512, 3), dim=-1)
    x = torch.randn(clouds * 512, 140, requires_grad=True)
    neighbors = build_neighbors(pos, torch.arange(clouds).repeat_interleave(512), num_neighbors=256)
    conv = SepFlexConv(140, 140, dim=3, window_init=3.0)
    start = forget_peak()
    conv(x, pos, neighbors).sum().backward()
    assert peak_memory() - start < 1024 * clouds / 8
