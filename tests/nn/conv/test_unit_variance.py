"""What the first batch sets, and numerics at the edges: each was wrong once."""

import pytest
import torch

from ccnn_geo import CCNN, FlexConv, SepFlexConv, testing
from ccnn_geo.neighbors import build_neighbors, knn_graph

ARGS = {"kernel_hidden": 6, "omega_0": 1.0, "window_init": 0.5}


def cloud(n=30, dim=3, channels=4):
    return torch.randn(n, channels), torch.rand(n, dim) * 2 - 1


@pytest.mark.parametrize("method", ["auto", "plain"])
def test_flow_of_bipartite_edges_and_of_the_model(method):
    x, pos = cloud()
    at = torch.rand(7, 3)
    edges = torch.stack([torch.randint(30, (40,)), torch.randint(7, (40,))])
    conv = SepFlexConv(4, 8, dim=3, **ARGS)
    expected = conv((x, None), (pos, at), edges)
    turned = SepFlexConv(4, 8, dim=3, flow="target_to_source", method=method, **ARGS)
    turned.load_state_dict(conv.state_dict())
    testing.assert_close(turned((x, None), (pos, at), edges.flip(0)), expected)
    edges = torch.randint(30, (2, 90))
    kwargs = {"hidden_channels": 8, "num_blocks": 1, **ARGS}
    model = CCNN(4, 3, 3, **kwargs).eval()
    other = CCNN(4, 3, 3, flow="target_to_source", method=method, **kwargs).eval()
    expected = model(x, pos, edge_index=edges)
    other.load_state_dict(model.state_dict())
    testing.assert_close(other(x, pos, edge_index=edges.flip(0)), expected)


@pytest.mark.parametrize("buffers", [False, True])
def test_averaged_models_are_not_scaled_again(buffers):
    conv = SepFlexConv(4, 4, dim=1, **ARGS)
    average = torch.optim.swa_utils.AveragedModel(conv, use_buffers=buffers)
    x = torch.randn(2, 4, 20)
    expected = conv(x)
    average.update_parameters(conv)
    average(7 * x)
    assert torch.equal(average(x), expected)


def test_functional_calls_are_not_scaled_again():
    trained, fresh = SepFlexConv(4, 4, dim=1, **ARGS), SepFlexConv(4, 4, dim=1, **ARGS)
    x = torch.randn(2, 4, 20)
    expected = trained(x)
    state = {k: v.clone() for k, v in trained.state_dict().items()}
    testing.assert_close(torch.func.functional_call(fresh, state, (x,)), expected, 1e-6)
    assert all(torch.equal(state[k], v) for k, v in trained.state_dict().items())
    assert fresh.scale.moment == 0


def test_weights_without_the_buffer_are_taken_as_they_are():
    conv, other = SepFlexConv(4, 4, dim=1, **ARGS), SepFlexConv(4, 4, dim=1, **ARGS)
    x = torch.randn(2, 4, 20)
    expected = conv(x)
    state = {k: v for k, v in conv.state_dict().items() if k != "scale.moment"}
    other.load_state_dict(state, strict=False)
    assert torch.equal(other(x), expected)


def test_nearly_silent_first_batch_does_not_explode_the_kernel():
    conv = SepFlexConv(4, 4, dim=1, **ARGS)
    conv(1e-12 * torch.randn(2, 4, 20))
    assert conv(torch.randn(2, 4, 20)).abs().max() < 100


@pytest.mark.parametrize("first", ["grid", "points"])
@pytest.mark.parametrize("kwargs", [{}, {"num_taps": 9.0}])
def test_resolution_is_that_of_the_first_grid(first, kwargs):
    conv = SepFlexConv(3, 5, dim=1, **kwargs, **ARGS)
    if first == "points":
        conv(torch.randn(9, 3), torch.rand(9, 1))
    conv(torch.randn(2, 3, 65))
    conv.eval()
    smooth = [torch.sin(torch.linspace(-1, 1, n) * 3).expand(1, 3, n) for n in (65, 129)]
    coarse, fine = (conv.aggregate_neighbors(x) for x in smooth)
    testing.assert_close(fine[..., 20:-20:2], coarse[..., 10:-10], 0.02)


@pytest.mark.parametrize("kwargs", [{"window": None}, {"window_threshold": 0.0}])
def test_unbounded_support_is_the_grid(kwargs):
    conv = SepFlexConv(3, 4, dim=2, **kwargs, **ARGS).eval()
    x = torch.randn(2, 3, 1, 5)
    assert conv(x).shape == (2, 4, 1, 5)
    assert conv.train()(x).shape == (2, 4, 1, 5)
    testing.assert_grid_matches_points(conv, x)


def test_domain_of_flat_clouds_is_flat():
    conv = SepFlexConv(3, 4, dim=2, window=None, **ARGS)
    pos = torch.rand(9, 2)
    pos[:, 1] = 0
    conv(torch.randn(9, 3), pos)
    assert conv.kernel.support()[1] == 0
    conv.kernel.observe(torch.tensor([float("nan"), 1.0]))
    assert conv.kernel.support().isfinite().all()


def test_reduced_precision_parameters_are_refused():
    with pytest.raises(TypeError, match=r"float32 or float64 parameters, got torch.bfloat16"):
        SepFlexConv(3, 4, dim=1, **ARGS).bfloat16()(torch.randn(2, 3, 9).bfloat16())


def test_backward_inside_autocast_keeps_full_precision():
    conv = SepFlexConv(3, 4, dim=3, kernel_hidden=8, omega_0=20.0, window_init=0.5)
    x, pos = torch.randn(40, 3), torch.rand(40, 3)
    edge_index = knn_graph(pos, 12)
    grads = []
    for enabled in (False, True):
        conv.zero_grad()
        loss = conv.aggregate_neighbors(x, pos, edge_index).square().sum()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss.backward()
        grads.append([p.grad.clone() for p in conv.kernel.parameters()])
    for full, mixed in zip(*grads, strict=True):
        testing.assert_close(mixed, full, 1e-5)


@pytest.mark.parametrize("cls", [SepFlexConv, FlexConv])
def test_second_derivatives_are_refused_or_exact(cls):
    x, pos = torch.randn(6, 2).double(), torch.rand(6, 2).double().requires_grad_()
    conv = cls(2, 2, dim=2, kernel_hidden=2, kernel_layers=1, omega_0=1.0, window_init=1.0).double()
    edge_index = knn_graph(pos.detach(), 3)
    conv(x, pos, edge_index)
    with pytest.raises(RuntimeError, match="method='plain'"):
        torch.autograd.grad(conv(x, pos, edge_index).sum(), pos, create_graph=True)
    conv.method = "plain"
    assert torch.autograd.gradgradcheck(lambda p: conv(x, p, edge_index), (pos,))


def test_far_coordinates_lose_nothing_but_what_float64_loses():
    conv = SepFlexConv(4, 8, dim=3, **ARGS)
    x, pos = torch.randn(30, 4), torch.rand(30, 3, dtype=torch.double)
    edge_index = knn_graph(pos, 6)
    expected = conv(x, pos, edge_index)
    testing.assert_close(conv(x, pos + 1e6, edge_index), expected, 1e-4)


def test_sizes_of_neighbours_and_weights_are_checked():
    conv = SepFlexConv(4, 8, dim=3, **ARGS)
    x, pos = cloud()
    with pytest.raises(ValueError, match="neighbours of 30 sources and 30 targets"):
        conv(x, pos, build_neighbors(pos[:10]))
    with pytest.raises(ValueError, match=r"weight \[30\], one per source, got \[30, 1\]"):
        conv(x, pos, weight=torch.ones(30, 1))
    with pytest.raises(ValueError, match="a grid takes no weight"):
        conv(torch.randn(2, 4, 3, 3, 3), weight=torch.ones(2))
