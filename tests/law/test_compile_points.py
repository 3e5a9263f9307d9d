"""Point layers and networks under ``torch.compile``, as one graph: the numbers and gradients of the eager ones."""

import copy
import shutil

import pytest
import torch

from ccnn_geo import CCNN, FlexConv, SepFlexConv, testing
from ccnn_geo.functional import edge_conv
from ccnn_geo.kernels import ContinuousKernel
from ccnn_geo.neighbors import build_neighbors, graph_ops, knn_graph
from tests.torch_versions import since_2_10

ARGS = {"kernel_hidden": 8, "kernel_layers": 1, "omega_0": 1.0, "window_init": 0.5}


@pytest.fixture(autouse=True)
def reset():
    torch.compiler.reset()


def one_graph(model, **kwargs):
    return torch.compile(model, backend="aot_eager", fullgraph=True, **kwargs)


def cloud(n=50, dtype=torch.float32):
    return torch.randn(n, 4, dtype=dtype), torch.rand(n, 3, dtype=dtype) * 2 - 1


LAYERS = {
    "operator": lambda: SepFlexConv(4, 8, 3, **ARGS),
    "formula": lambda: SepFlexConv(4, 8, 3, kernel="siren", **ARGS),
    "dense": lambda: FlexConv(4, 8, 3, **ARGS),
    "messages": lambda: SepFlexConv(4, 8, 3, method="plain", **ARGS),
    "mean": lambda: SepFlexConv(4, 8, 3, aggr="mean", **ARGS),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_on_k_neighbours_is_one_graph(name):
    """Messages without weights: those of a mean have them, and edges without are below."""
    conv, (x, pos), weight = LAYERS[name](), cloud(), None if name == "messages" else torch.rand(50)
    edge_index = knn_graph(pos, 6)[:, torch.randperm(300)]  # in any order
    conv(x, pos, edge_index)
    twin = copy.deepcopy(conv)
    for layer in (conv, twin):
        layer.kernel.reset_domain()  # what training observes
    compiled = one_graph(twin)
    inputs = [t.requires_grad_() for t in (x, pos, weight) if t is not None]
    outputs, grads = [], []
    for layer in (compiled, conv):  # compiled once, for the gradients of everything
        outputs.append(layer(x, pos, edge_index, weight=weight))
        wanted = [*inputs, *layer.parameters()]
        grads.append(torch.autograd.grad(outputs[-1].square().sum(), wanted))
    testing.assert_close(*outputs, 1e-5)
    testing.assert_close(twin.kernel.domain, conv.kernel.domain)
    scale = max(g.norm().item() for g in grads[1][len(inputs) :])
    for i, (a, e) in enumerate(zip(*grads, strict=True)):
        assert (a - e).norm() <= 1e-5 * (e.norm() if i < len(inputs) else scale)


@pytest.mark.parametrize(("family", "shape"), [("siren", 4), ("magnet", (3, 4))])
def test_the_function_itself_is_one_graph(family, shape):
    kernel, (x, pos) = ContinuousKernel(3, shape, kernel=family, omega_0=1.0, window_init=0.5), cloud()
    neighbors = build_neighbors(pos, None, 6)

    def run(x):
        return edge_conv(x, pos, pos, neighbors, kernel, dense=kernel.is_dense)

    testing.assert_close(one_graph(run)(x), run(x), 1e-5)


def test_in_double_precision_the_graph_is_exact():
    conv, (x, pos) = SepFlexConv(4, 8, 3, **ARGS).double(), cloud(dtype=torch.float64)
    neighbors = build_neighbors(pos, None, 6)
    expected = conv(x, pos, neighbors)
    testing.assert_close(one_graph(conv)(x, pos, neighbors), conv(x, pos, neighbors))
    assert expected.dtype == torch.float64


def test_bipartite_and_turned_edges():
    conv, (x, pos) = SepFlexConv(4, 8, 3, flow="target_to_source", **ARGS), cloud()
    at = torch.rand(7, 3)
    edges = build_neighbors(pos, None, 6, pos_dst=at).edge_index.flip(0)
    conv((x, None), (pos, at), edges)
    conv.eval()
    testing.assert_close(
        one_graph(conv)((x, None), (pos, at), edges), conv((x, None), (pos, at), edges), 1e-6
    )


@since_2_10
def test_a_network_is_one_graph_with_its_search_and_takes_other_clouds():
    model = CCNN(4, 3, 3, 4, 0, num_neighbors=6, **ARGS)
    x, pos = cloud()
    model(x, pos, torch.arange(50) // 20)
    twin = copy.deepcopy(model)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (model, twin)]
    compiled = one_graph(twin, dynamic=True)
    for sizes in ((20, 20, 10), (30, 3, 31)):  # ragged; one cloud of fewer points than neighbours
        batch = torch.arange(3).repeat_interleave(torch.tensor(sizes))
        x, pos = cloud(len(batch))
        losses = []
        for net, optimizer in zip((model, compiled), optimizers, strict=True):
            loss = net(x, pos, batch, batch_size=3).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        testing.assert_close(losses[1], losses[0], 1e-5)
    for (name, a), e in zip(twin.state_dict().items(), model.state_dict().values(), strict=True):
        assert (a.double() - e.double()).norm() <= 1e-4 * e.double().norm() + 1e-5, name


def test_what_is_wrong_with_edges_is_said_at_run_time():
    conv, (x, pos) = SepFlexConv(4, 8, 3, **ARGS), cloud()
    edge_index = knn_graph(pos, 6)
    conv(x, pos, edge_index)
    compiled = one_graph(conv)
    compiled(x, pos, edge_index)
    with pytest.raises(ValueError, match=r"row 0 of edge_index must lie in \[0, num_src\) = \[0, 50\)"):
        compiled(x, pos, edge_index + 10)


@since_2_10
def test_sums_over_all_points_run_beside_the_graph():
    """They take the mesh, whose size depends on numbers: a compiler steps aside, and says so if it may not."""
    conv = SepFlexConv(
        4, 8, 3, kernel="siren", omega_0=0.5, window_init=0.3, window_threshold=1e-4, method="mesh"
    )
    x, pos = cloud(80)
    conv(x, pos)
    conv.eval()
    compiled = torch.compile(conv, backend="aot_eager")
    with torch.no_grad():  # torch hides a warning of its own here, which pytest makes an error
        testing.assert_close(compiled(x, pos), conv(x, pos), 1e-6)
    torch.compiler.reset()
    with pytest.raises(Exception, match="disable"):
        one_graph(conv)(x, pos)


def test_operators_keep_what_they_promise():
    """Schema, fake tensors, autograd registration: torch's own checks."""
    _, pos = cloud(12)
    edge_index = knn_graph(pos, 3)
    torch.library.opcheck(graph_ops.sort_edges, (edge_index.flip(1), 12, 12))
    torch.library.opcheck(graph_ops.nearest_edges, (pos, None, 3, pos[:5], None))
    neighbors = build_neighbors(pos, None, 3)
    torch.library.opcheck(graph_ops.extent, (pos, pos, neighbors.edge_index, neighbors.ptr))


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_inductor_gives_the_same_numbers():
    conv, (x, pos) = SepFlexConv(4, 4, 3, **ARGS), cloud()  # a kernel of sines has half as many loops again
    edge_index = knn_graph(pos, 6)
    conv(x, pos, edge_index)
    compiled = torch.compile(conv, fullgraph=True, options={"compile_threads": 1})  # no pool for a few loops
    parameters = list(conv.parameters())
    found = [
        (y := f(x, pos, edge_index), *torch.autograd.grad(y.square().sum(), parameters))
        for f in (compiled, conv)
    ]
    for a, e in zip(*found, strict=True):
        testing.assert_close(a.detach(), e.detach(), 1e-4)
