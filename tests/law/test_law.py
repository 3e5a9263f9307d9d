"""One operator: every path gives the numbers of a plain O(N^2) sum, in values and gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ccnn_geo import CCNN, FlexConv, SepFlexConv, testing
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.kernels import KERNELS
from ccnn_geo.neighbors import build_neighbors, knn_graph
from tests.pairwise import pairwise

DIMS, LAYERS, DTYPES = [1, 2, 3], [SepFlexConv, FlexConv], [torch.float64, torch.float32]
SIZES = {1: (9,), 2: (5, 4), 3: (3, 4, 2)}
ARGS = {"kernel_hidden": 6, "omega_0": 1.0, "window_init": 0.4}


def layer(dim, dtype, device, cls=SepFlexConv, **kwargs):
    return cls(3, 4, dim, **{**ARGS, **kwargs}).to(device, dtype)


def cloud(n, dim, dtype, device, channels=3):
    pos = torch.rand(n, dim, dtype=torch.float64) * 2 - 1
    return torch.randn(n, channels, dtype=torch.float64).to(device, dtype), pos.to(device, dtype)


def looped_sum(conv, x, pos_src, pos_dst):
    """The oracle, written without the library's help: window, Gabor filters and sum in python loops."""
    net, window = conv.kernel.network, conv.kernel.window
    sigma = 1e-4 + torch.log1p(torch.exp(window.rho)).expand(pos_src.size(1))
    half = sigma * (2 * torch.log(torch.tensor(10.0, dtype=x.dtype))).sqrt()
    rows = []
    for target in pos_dst:
        total = x.new_zeros(x.size(1))
        for source, feature in zip(pos_src, x, strict=True):
            r = target - source
            if (r.abs() > half).any() or (conv.kernel.causal and r[0] < 0):
                continue
            h = None
            for l, f in enumerate(net.filters):
                envelope = torch.exp(-0.5 * ((f.gamma * (r - f.mu)) ** 2).sum(1))
                g = envelope * torch.sin(f.omega @ r + f.phi)
                h = g if h is None else g * (net.hidden[l - 1].weight @ h + net.hidden[l - 1].bias)
            value = net.output.weight @ h + net.output.bias
            total = total + value * torch.exp(-0.5 * ((r / sigma) ** 2).sum()) * feature
        rows.append(conv.pointwise.weight @ (total + conv.bias) + conv.pointwise.bias)
    return torch.stack(rows)


@pytest.mark.slow_simulated
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_points_match_python_loops(dim, dtype, device):
    conv = layer(dim, dtype, device)
    x, pos = cloud(12, dim, dtype, device)
    neighbors = build_neighbors(pos, num_neighbors=None)
    conv(x, pos, neighbors)
    testing.assert_same_function(
        lambda x, p: conv(x, p, neighbors),
        lambda x, p: looped_sum(conv, x, p, p),
        (x, pos),
        list(conv.parameters()),
    )


@pytest.mark.parametrize(*pairwise({"dim": DIMS, "cls": LAYERS, "dtype": DTYPES}))
def test_points_match_definition(dim, cls, dtype, device):
    x, pos = cloud(30, dim, dtype, device)
    testing.assert_matches_definition(layer(dim, dtype, device, cls), x, pos)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_bipartite_matches_definition_at_any_position(dim, dtype, device):
    x, pos = cloud(30, dim, dtype, device)
    _, target = cloud(11, dim, dtype, device)
    testing.assert_matches_definition(layer(dim, dtype, device), x, pos, target)


@pytest.mark.parametrize(
    *pairwise({"dim": DIMS, "cls": LAYERS, "method": ["fft", "direct"], "dtype": DTYPES})
)
def test_grid_matches_points(dim, cls, method, dtype, device):
    conv = layer(dim, dtype, device, cls, method=method)
    x = torch.randn(2, 3, *SIZES[dim], dtype=torch.float64).to(device, dtype)
    testing.assert_grid_matches_points(conv, x)


@pytest.mark.parametrize("size", [(1,), (2,), (7,), (8,), (1, 5), (6, 3), (2, 1, 3)])
@pytest.mark.parametrize("window_init", [0.1, 0.4, 5.0])
def test_grid_matches_points_for_any_size_and_support(size, window_init, device):
    conv = layer(len(size), torch.float64, device, window_init=window_init)
    testing.assert_grid_matches_points(conv, torch.randn(2, 3, *size, dtype=torch.float64, device=device))


@pytest.mark.parametrize(*pairwise({"length": [1, 8, 13], "method": ["fft", "direct"], "dtype": DTYPES}))
def test_causal_grid_matches_points(length, method, dtype, device):
    conv = layer(1, dtype, device, causal=True, method=method)
    testing.assert_grid_matches_points(conv, torch.randn(2, 3, length, dtype=torch.float64).to(device, dtype))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_every_kernel_family_obeys_the_law(kernel, causal, device):
    conv = layer(1, torch.float64, device, kernel=kernel, causal=causal)
    testing.assert_grid_matches_points(conv, torch.randn(2, 3, 9, dtype=torch.float64, device=device))


@pytest.mark.parametrize("threshold", [0.0, 0.1])
def test_without_window_or_without_threshold(threshold, device):
    window = None if threshold else "gaussian"
    conv = layer(2, torch.float64, device, window=window, window_threshold=threshold)
    testing.assert_grid_matches_points(conv, torch.randn(2, 3, 4, 5, dtype=torch.float64, device=device))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_other_resolution_is_weighted_by_the_cell(dim, device):
    conv = layer(dim, torch.float64, device)
    conv(torch.randn(2, 3, *SIZES[dim], dtype=torch.float64, device=device))
    finer = tuple(2 * s - 1 for s in SIZES[dim])
    testing.assert_grid_matches_points(conv, torch.randn(1, 3, *finer, dtype=torch.float64, device=device))


def test_offsets_beyond_training_are_zero(device):
    conv = layer(1, torch.float64, device, window=None)
    conv(torch.randn(2, 3, 8, dtype=torch.float64, device=device), spacing=0.1)
    conv.eval()
    x = torch.randn(1, 3, 30, dtype=torch.float64, device=device)
    testing.assert_grid_matches_points(conv, x, spacing=0.1)
    rel, _ = conv.kernel_taps((30,), 0.1)
    assert rel.abs().max().item() == pytest.approx(0.7)
    assert conv.kernel(torch.tensor([[0.71]], dtype=torch.float64, device=device)).abs().max() == 0


def test_density_weights_do_not_depend_on_the_path(dtype, device):
    x, pos = cloud(40, 3, dtype, device)
    conv = layer(3, dtype, device, measure="density")
    testing.assert_methods_agree(conv, x, pos, knn_graph(pos, 9))
    testing.assert_bipartite_matches_square(conv, x, pos, knn_graph(pos, 9))
    testing.assert_permutation_equivariant(conv, x, pos)
    testing.assert_translation_invariant(conv, x, pos)


@pytest.mark.slow_simulated
@pytest.mark.parametrize(*pairwise({"chunk_edges": [1, 7, 64, 100_000], "cls": LAYERS, "dtype": DTYPES}))
def test_chunks_match_messages(chunk_edges, cls, dtype, device, monkeypatch):
    from ccnn_geo.functional.edge import conv as edge_conv

    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")  # compiled code has no chunks
    floats = chunk_edges * (3 + 8 * ARGS["kernel_hidden"])
    monkeypatch.setattr(edge_conv, "CHUNK_FLOATS", {"cpu": floats, "cuda": floats})
    x, pos = cloud(40, 2, dtype, device)
    testing.assert_methods_agree(layer(2, dtype, device, cls), x, pos, knn_graph(pos, 9))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 30), st.integers(0, 60), st.randoms(use_true_random=False))
def test_any_graph_matches_messages(dim, n, num_edges, random):
    torch.manual_seed(random.randrange(1 << 30))
    x, pos = cloud(n, dim, torch.float64, "cpu")
    edge_index = torch.tensor([[random.randrange(n) for _ in range(num_edges)] for _ in range(2)])
    conv = layer(dim, torch.float64, "cpu", window_init=1.0)
    for filters in conv.kernel.network.filters:  # at phase 0 a kernel is 0 at offset 0: nothing to compare
        torch.nn.init.uniform_(filters.phi, 0.5, 1.0)
    testing.assert_methods_agree(conv, x, pos, edge_index.view(2, -1).long())


def test_quadrature_weights_match_messages_with_gradients(device):
    x, pos = cloud(25, 3, torch.float64, device)
    weight = torch.rand(25, dtype=torch.float64, device=device)
    conv = layer(3, torch.float64, device, window_init=1.0)
    plain = layer(3, torch.float64, device, window_init=1.0, method="plain")
    conv(x, pos, knn_graph(pos, 9))
    plain.load_state_dict(conv.state_dict())
    edge_index = knn_graph(pos, 9)
    testing.assert_same_function(
        lambda x, p, w: conv(x, p, edge_index, weight=w),
        lambda x, p, w: plain(x, p, edge_index, weight=w),
        (x, pos, weight),
    )


def test_gradients_match_finite_differences():
    x, pos = cloud(5, 2, torch.float64, "cpu", channels=2)
    conv = SepFlexConv(2, 1, 2, kernel_hidden=2, kernel_layers=1, omega_0=1.0, window_init=1.0).double()
    edge_index = knn_graph(pos, 4)
    conv(x, pos, edge_index)
    x.requires_grad_(), pos.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, p, *_: conv(x, p, edge_index), (x, pos, *conv.parameters()))


@pytest.mark.parametrize(*pairwise({"dim": DIMS, "cls": LAYERS, "dtype": DTYPES}))
def test_fft_matches_direct_and_bipartite_matches_square(dim, cls, dtype, device):
    conv = layer(dim, dtype, device, cls)
    x = torch.randn(2, 3, *SIZES[dim], dtype=torch.float64).to(device, dtype)
    testing.assert_fft_matches_direct(conv, x)
    assert conv.method == "auto"
    x, pos = cloud(30, dim, dtype, device)
    testing.assert_bipartite_matches_square(conv, x, pos, knn_graph(pos, 6))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_permutation_and_translation(dim, dtype, device):
    x, pos = cloud(30, dim, dtype, device)
    conv = layer(dim, dtype, device)
    testing.assert_permutation_equivariant(conv, x, pos)
    testing.assert_translation_invariant(conv, x, pos)
    model = CCNN(3, 5, dim, hidden_channels=8, num_neighbors=10, **ARGS).to(device, dtype).eval()
    testing.assert_permutation_equivariant(model, x, pos, global_output=True)
    testing.assert_translation_invariant(model, x, pos)


@pytest.mark.slow_simulated
@pytest.mark.parametrize(
    *pairwise({"readout": ["global", "node"], "measure": ["uniform", "density"], "dtype": DTYPES})
)
def test_ragged_batch_matches_single_clouds(readout, measure, dtype, device):
    x, pos = cloud(40, 3, dtype, device)
    batch = torch.tensor([0] * 5 + [1] * 1 + [2] * 20 + [3] * 14, device=device)
    model = (
        CCNN(3, 5, 3, hidden_channels=8, num_neighbors=8, readout=readout, measure=measure, **ARGS)
        .to(device, dtype)
        .eval()
    )
    testing.assert_ragged_matches_single(model, x, pos, batch)
    testing.assert_ragged_matches_single(layer(3, dtype, device, measure=measure), x, pos, batch)


def test_causal_layer_and_model_do_not_see_the_future(device):
    x = torch.randn(2, 3, 40, device=device)
    testing.assert_causal(layer(1, torch.float32, device, causal=True), x)
    model = CCNN(3, 2, 1, hidden_channels=8, causal=True, readout="node", **ARGS).to(device).eval()
    testing.assert_causal(model, x)
    with pytest.raises(AssertionError, match="later inputs"):
        testing.assert_causal(layer(1, torch.float32, device), x)


@pytest.mark.slow_simulated
@pytest.mark.parametrize(("dim", "pool"), [(1, "mean"), (2, "mean"), (3, "mean"), (2, "mean_max")])
def test_model_on_grid_matches_model_on_points(dim, pool, dtype, device):
    size = SIZES[dim]
    model = CCNN(3, 5, dim, hidden_channels=8, num_neighbors=None, pool=pool, **ARGS).to(device, dtype)
    x = torch.randn(4, 3, *size, dtype=torch.float64).to(device, dtype)
    model(x)
    model.eval()
    pos = grid_positions(size, dtype=dtype, device=device).repeat(4, 1)
    batch = torch.arange(4, device=device).repeat_interleave(pos.size(0) // 4)
    testing.assert_same_function(
        model,
        lambda x: model(x.flatten(2).mT.flatten(0, 1), pos, batch),
        (x,),
        list(model.parameters()),
        tol=1e-9 if dtype == torch.float64 else 1e-3,  # five layers on top of each other
    )


@pytest.mark.parametrize("method", ["edge", "lattice", "mesh", "plain", "fft", "direct"])
def test_autocast_does_not_reach_the_kernel(method, device):
    conv = layer(2, torch.float32, device, method=method, window_threshold=1e-4, omega_0=0.3)
    x, pos = cloud(30, 2, torch.float32, device)
    pos = (pos * 4).round() / 4
    grid = torch.randn(2, 3, 5, 6).to(device)
    given = (grid,) if method in ("fft", "direct") else (x, pos)
    spacing = None if len(given) == 1 or method != "lattice" else 0.25
    conv(*given, spacing=spacing)

    def sums(**autocast):
        with torch.autocast(device.type, torch.bfloat16, **autocast):
            y = conv.aggregate_neighbors(*given, spacing=spacing)
            loss = (y.float() ** 2).sum()
        return y.detach(), torch.autograd.grad(loss, list(conv.kernel.parameters()), allow_unused=True)

    expected, grads = sums(enabled=False)
    found, lower = sums()
    assert found.dtype == torch.float32
    testing.assert_close(found, expected, 1e-6)
    for a, b in zip(lower, grads, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            testing.assert_close(a, b, 1e-4)
    rel = torch.rand(7, 2).to(device)
    expected = conv.kernel.definition(rel)
    with torch.autocast(device.type, torch.bfloat16):
        testing.assert_close(conv.kernel(rel), expected, 1e-5)
