"""The network: published parameter counts, carriers, readouts, initialisation, blocks."""

import copy
import itertools

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from ccnn_geo import CCNN, testing
from ccnn_geo.kernels.config import PAPER
from ccnn_geo.neighbors import knn_graph
from ccnn_geo.nn.blocks import CCNNBlock, FlexBlock, GatedBlock, S4Block
from ccnn_geo.nn.ccnn import PRESETS
from ccnn_geo.nn.conv.kernel_norms import collect_kernel_norms, l2_penalty
from ccnn_geo.nn.norm.pool import PoolNorm
from tests.pairwise import pairwise

SMALL = {"hidden_channels": 8, "num_blocks": 2, "kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.4}


@pytest.mark.parametrize(
    ("preset", "channels", "classes", "dim", "kwargs", "count"),
    [
        ("ccnn_4_16", 6, 40, 3, {}, 6_545),
        ("ccnn_4_32", 6, 40, 3, {}, 14_401),
        ("ccnn_4_48", 6, 40, 3, {}, 26_353),
        ("ccnn_4_140", 6, 40, 3, {}, 207_709),
        ("ccnn_6_380", 6, 40, 3, {}, 2_017_503),
        ("ccnn_4_32_sets", 6, 40, 3, {}, 27_521),
        ("ccnn_4_48_sets", 6, 40, 3, {}, 201_561),
        ("ccnn_4_140", 3, 10, 1, {"causal": True}, 199_117),
        ("ccnn_4_140", 3, 10, 2, {}, 201_042),
        ("ccnn_6_380", 3, 10, 1, {"causal": True}, 1_993_983),
        ("ccnn_4_140", 3, 10, 1, {"block": "flex"}, 233_721),
        ("ccnn_6_380", 3, 10, 1, {"block": "flex"}, 2_229_293),
    ],
)
def test_published_parameter_counts(preset, channels, classes, dim, kwargs, count):
    model = CCNN.from_preset(preset, dim=dim, in_channels=channels, out_channels=classes, **kwargs)
    assert sum(p.numel() for p in model.parameters()) == count


def test_presets_take_overrides_and_name_themselves():
    assert CCNN.from_preset("ccnn_4_16", 1, 1, 2, num_blocks=1).blocks.__len__() == 1
    with pytest.raises(ValueError, match=r"ccnn_4_140.*got 'ccnn_9'"):
        CCNN.from_preset("ccnn_9", 1, 1, 2)
    sizes = {"ccnn_4_16", "ccnn_4_32", "ccnn_4_48", "ccnn_4_140", "ccnn_6_380"}
    with_sets = {"ccnn_4_32_sets", "ccnn_4_48_sets"}
    assert set(PRESETS) == sizes | with_sets | {f"{name}_paper" for name in sizes}


def test_presets_with_sets_are_those_of_their_size_with_members_and_a_branch():
    small, large = (CCNN.from_preset(f"ccnn_4_{n}_sets", 3, 2, 5) for n in (32, 48))
    assert (small.members, small.set_branch.points[0].out_features) == (1, 24)
    assert (large.members, large.set_branch.points[0].out_features) == (4, 64)
    bare = CCNN.from_preset("ccnn_4_32", 3, 2, 5)
    branch = sum(p.numel() for p in small.set_branch.parameters())
    assert sum(p.numel() for p in small.parameters()) == branch + sum(p.numel() for p in bare.parameters())


@pytest.mark.parametrize(
    *pairwise({"dim": [1, 2, 3], "readout": ["global", "node"], "block": ["ccnn", "s4", "flex", "gated"]})
)
def test_shapes_and_gradients(dim, readout, block, device):
    model = CCNN(2, 5, dim, readout=readout, block=block, num_neighbors=6, dropout=0.1, **SMALL).to(device)
    size = (7, 6, 5)[:dim]
    grid = model(torch.randn(3, 2, *size, device=device))
    assert grid.shape == ((3, 5) if readout == "global" else (3, 5, *size))
    x, pos = torch.randn(20, 2, device=device), torch.rand(20, dim, device=device)
    points = model(x, pos, torch.arange(20, device=device) // 10)
    assert points.shape == ((2, 5) if readout == "global" else (20, 5))
    (points.square().sum() + grid.square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_mean_and_largest_features_feed_one_head(device):
    """Mean and largest are what they are called, and each is normalised over the samples of a batch."""
    torch.manual_seed(0)
    model = CCNN(2, 5, 2, num_neighbors=6, pool="mean_max", **SMALL).to(device)
    x, pos = torch.randn(60, 2, device=device), torch.rand(60, 2, device=device)
    batch = torch.arange(60, device=device) // 10
    seen = []
    model.norm.register_forward_hook(lambda module, args, out: seen.append(out.detach().view(6, 10, 8)))

    def pooled():
        return torch.cat([seen[-1].mean(dim=1), seen[-1].amax(dim=1)], dim=1)

    with torch.no_grad():
        model.head.norm.weight.uniform_(0.5, 2)
        model.head.norm.bias.normal_()
        gain, shift = model.head.norm.weight, model.head.norm.bias
        for _ in range(100):  # until the running statistics are those of the batch
            logits = model(x, pos, batch)
        std, mean = torch.std_mean(pooled(), dim=0, correction=0)
        expected = model.head.linear((pooled() - mean) / (std.square() + 1e-5).sqrt() * gain + shift)
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
        variance = pooled().var(dim=0)  # running ones are unbiased
        model.eval()
        evaluated = model(x, pos, batch)
        expected = model.head.linear((pooled() - mean) / (variance + 1e-5).sqrt() * gain + shift)
        torch.testing.assert_close(evaluated, expected, rtol=1e-3, atol=1e-3)


def test_a_single_sample_is_pooled_with_running_statistics():
    torch.manual_seed(0)
    norm = PoolNorm(3)
    norm(torch.randn(9, 3))
    x = torch.randn(1, 3)
    training = norm(x)
    torch.testing.assert_close(training, norm.eval()(x))


def test_data_batches_and_given_edges():
    model = CCNN(2, 5, 3, num_neighbors=6, **SMALL).eval()
    clouds = [Data(x=torch.randn(n, 2), pos=torch.rand(n, 3), y=torch.zeros(1)) for n in (9, 1, 14)]
    batch = next(iter(DataLoader(clouds, batch_size=3)))
    out = model(batch)
    assert out.shape == (3, 5)
    testing.assert_close(out, model(batch.x, batch.pos, batch.batch), 1e-6)
    testing.assert_close(model(clouds[2]), out[2:], 1e-5)
    for c in clouds:
        c.edge_index = knn_graph(c.pos, 2)
    sparse = model(Batch.from_data_list(clouds))
    assert not torch.allclose(sparse, out)
    testing.assert_close(sparse[2:], model(clouds[2]), 1e-5)
    with pytest.raises(ValueError, match="without x"):
        model(Data(pos=torch.rand(4, 3)))


def test_last_cloud_may_be_empty():
    model = CCNN(2, 5, 3, num_neighbors=6, **SMALL).eval()
    x, pos = torch.randn(9, 2), torch.rand(9, 3)
    assert model(x, pos, torch.zeros(9, dtype=torch.long), batch_size=2).shape == (2, 5)


CARRIERS = {
    "sequence_1024": ({"dim": 1, "causal": True, "omega_0": 2000.0}, (1024,)),
    "sequence_16000": ({"dim": 1, "causal": True, "omega_0": 1295.61, "hidden_channels": 32}, (16000,)),
    "image_32x32": ({"dim": 2, "omega_0": 1435.77}, (32, 32)),
    "volume_32x32x32": ({"dim": 3, "hidden_channels": 16}, (32, 32, 32)),
    # slower kernels see the same sphere in every cloud, of which batch statistics leave little
    "cloud_512": ({"dim": 3, **PAPER}, 512),
    "cloud_2048": ({"dim": 3, "hidden_channels": 16, "kernel_hidden": 8, **PAPER}, 2048),
}


def carrier_inputs(size, batch):
    if isinstance(size, tuple):
        return (torch.randn(batch, 3, *size),)
    pos = torch.nn.functional.normalize(torch.randn(batch * size, 3), dim=-1)
    return pos, pos, torch.arange(batch).repeat_interleave(size)


# those that take longest as one of both: others of their kind are there
@pytest.mark.parametrize(
    ("carrier", "mode"),
    [
        *itertools.product(("sequence_1024", "image_32x32", "cloud_512"), ("train", "eval")),
        *(("sequence_16000", "eval"), ("volume_32x32x32", "train"), ("cloud_2048", "eval")),
    ],
)
def test_fresh_logits_have_unit_variance(carrier, mode):
    """Fig. 6: of the first batch and of the next one, which the scale was not set on."""
    kwargs, size = CARRIERS[carrier]
    kwargs = {"hidden_channels": 140, **kwargs}
    model = CCNN(3, 10, **kwargs).train(mode == "train")
    batch = 8 if mode == "train" else 2  # with batch statistics only differences between samples are left
    for _ in range(2):
        testing.assert_unit_variance(model, *carrier_inputs(size, batch))


@pytest.mark.parametrize("carrier", ["sequence_1024", "image_32x32", "cloud_512"])
def test_every_fresh_layer_has_unit_variance(carrier):
    kwargs, size = CARRIERS[carrier]
    model = CCNN(3, 10, **{"hidden_channels": 140, **kwargs}).eval()
    seen = []
    for conv in model.convs:
        conv.register_forward_hook(lambda module, args, out: seen.append(out.var().item()))
    with torch.no_grad():
        for _ in range(2):
            model(*carrier_inputs(size, 4))
    assert len(seen) == 10
    assert all(0.5 < v < 2.0 for v in seen)


def test_scale_of_the_head_survives_state_dict_and_deepcopy():
    model = CCNN(2, 5, 1, **SMALL).eval()
    x = torch.randn(4, 2, 30)
    out = model(x)
    twin = CCNN(2, 5, 1, **SMALL).eval()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(x), out)
    assert torch.equal(copy.deepcopy(model)(x), out)
    model.reset_parameters()
    assert model.head.scale.moment == 0 and all(c.scale.moment == 0 for c in model.convs)


def test_blocks_are_those_of_figure_7():
    x = torch.randn(2, 8, 20)
    for cls in (CCNNBlock, S4Block):
        block = cls(8, 1, kernel_hidden=4).eval()
        conv = block.conv(block.norm(x))
        branch = torch.einsum("oc,bcl->bol", block.linear.weight, torch.nn.functional.gelu(conv))
        branch = branch + block.linear.bias[:, None]
        if cls is CCNNBlock:
            branch = torch.nn.functional.gelu(branch)
        testing.assert_close(block(x), x + branch, 1e-5)
    flex = FlexBlock(8, 1, kernel_hidden=4).eval()
    h = torch.nn.functional.gelu(flex.norm1(flex.conv1(x)))
    expected = torch.nn.functional.gelu(x + flex.norm2(flex.conv2(h)))
    testing.assert_close(flex(x), expected, 1e-5)


def test_a_gate_multiplies_the_convolution():
    x, pos = torch.randn(20, 8), torch.rand(20, 1)
    block = GatedBlock(8, 1, kernel_hidden=4).eval()
    with torch.no_grad():
        block.gate.bias.normal_()
    n = block.norm(x)
    gate = 2 / (1 + torch.exp(-(n @ block.gate.weight.T + block.gate.bias)))
    branch = (block.conv(n, pos) * gate) @ block.linear.weight.T + block.linear.bias
    testing.assert_close(block(x, pos), x + torch.nn.functional.gelu(branch), 1e-5)
    assert CCNNBlock(8, 1).gate is None and not any("gate" in name for name in CCNNBlock(8, 1).state_dict())
    before = block.gate.weight.clone()
    block.reset_parameters()
    assert not block.gate.bias.any() and not torch.equal(block.gate.weight, before)


def test_kernel_penalty_on_grids_and_points():
    model = CCNN(2, 5, 2, num_neighbors=7, **SMALL).double()
    x, pos = torch.randn(12, 2).double(), torch.rand(12, 2).double()
    grid = torch.randn(2, 2, 9, 8).double()
    model(grid)
    for inputs, method in (((grid,), "auto"), ((x, pos), "auto"), ((x, pos), "plain")):
        for conv in model.convs:
            conv.method = method
        with collect_kernel_norms() as norms:
            model(*inputs)
        assert len(norms) == 3
        expected = []
        for conv in model.convs:
            if len(inputs) == 1:
                k = conv.kernel(conv.kernel_taps((9, 8))[0])
                expected.append(k.square().sum())
            else:
                source, target = knn_graph(pos, 7)
                expected.append(conv.kernel(pos[target] - pos[source]).square().sum() / 12)
        total = l2_penalty(norms)
        testing.assert_close(total, 0.5 * sum(expected), 1e-10)
        parameters = [p for c in model.convs for p in c.kernel.parameters()]
        for a, b in zip(
            torch.autograd.grad(total, parameters),
            torch.autograd.grad(0.5 * sum(expected), parameters),
            strict=True,
        ):
            testing.assert_close(a, b, 1e-8)
    copy.deepcopy(model)  # nothing of the graph stays in the modules
    with pytest.raises(ValueError, match="at least one kernel"):
        l2_penalty([])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"readout": "mean"}, "got 'mean'"),
        ({"block": "resnet"}, "got 'resnet'"),
        ({"pool": "max"}, r"expected pool to be one of \['mean', 'mean_max', 'sum'\], got 'max'"),
        ({"pool": "mean_max", "readout": "node"}, "which pools nothing, got 'mean_max'"),
        ({"num_blocks": -1}, "got -1"),
    ],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        CCNN(3, 2, 3, **kwargs)


def test_wrong_batch_is_named():
    with pytest.raises(ValueError, match=r"expected batch \[5\] beside pos, got \[4\]"):
        CCNN(3, 2, 3, **SMALL)(torch.randn(5, 3), torch.rand(5, 3), torch.zeros(4, dtype=torch.long))
