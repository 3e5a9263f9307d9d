"""PointMLP and PointNeXt: published sizes, shapes of layers, plain loops over neighbourhoods, slopes of parameters."""

import pytest
import torch
from torch import nn

from ccnn_geo.experiments.baselines.pointmlp import GeometricAffine, PointMLP, Stage, spread
from ccnn_geo.experiments.baselines.pointnext import PointNeXt, ResidualAbstraction
from tests.experiments.baselines.point_clouds import clouds, disturb, layer, plain, plain_norm, size


def block(channels, hidden):
    return layer(channels, hidden, False) + layer(hidden, channels, False)


@pytest.mark.parametrize(
    "options, widths, blocks, expansion, expected, published",
    [
        ({}, (32, 64, 128, 256, 256), (1, 1, 2, 1), 0.25, 716_232, 0.68),
        (
            {"embedding": 64, "widening": (2, 2, 2, 2), "blocks": (2, 2, 2, 2), "expansion": 1},
            (64, 128, 256, 512, 1024),
            (2, 2, 2, 2),
            1,
            13_238_504,
            12.6,
        ),
    ],
)
def test_pointmlp_has_the_published_size(options, widths, blocks, expansion, expected, published):
    """0.68 and 12.6 times 2^20 (Table 2 of its paper): 716,232 and 13,238,504 of its implementation."""
    total = layer(3, widths[0], False) + layer(widths[-1], 512) + layer(512, 256) + 257 * 40
    for inputs, outputs, count in zip(widths, widths[1:], blocks, strict=False):
        total += 2 * inputs + layer(2 * inputs, outputs, False)
        total += 2 * count * block(outputs, int(outputs * expansion))
    assert size(PointMLP(0, 40, **options)) == total == expected
    assert total / 2**20 == pytest.approx(published, rel=5e-3)


@pytest.mark.parametrize(
    "given, classes, width, expected",
    [(1, 15, 32, 1_367_119), (0, 40, 32, 1_373_512), (0, 40, 64, 4_523_112)],
)
def test_pointnext_has_the_published_size(given, classes, width, expected):
    """1.367, 1.374 and 4.523 million in its configurations: heights beside positions on ScanObjectNN."""
    total = (3 + given + 1) * width
    for i in range(4):
        c = width * 2**i
        total += layer(c + 3, c, False) + layer(c, 2 * c, False) + (c + 1) * 2 * c
    c = 16 * width
    total += layer(c + 3, c, False) + layer(c, c, False)
    total += layer(c, 512, False) + layer(512, 256, False) + 257 * classes
    assert size(PointNeXt(given, classes, width)) == total == expected


def shapes(network, *kinds):
    """Shapes that layers of some kinds give for two clouds of 1,024 points, in their order."""
    found = []

    def hook(module, args, out):
        found.append(tuple(out[1].shape if isinstance(out, tuple) else out.shape))

    for module in network.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(hook)
    with torch.no_grad():
        network.eval()(clouds(2, points=1024))
    return found


def test_layers_of_pointmlp_have_the_published_shapes():
    assert shapes(PointMLP(3, 40), GeometricAffine, Stage) == [
        *((2, 512, 24, 64), (2, 512, 64)),
        *((2, 256, 24, 128), (2, 256, 128)),
        *((2, 128, 24, 256), (2, 128, 256)),
        *((2, 64, 24, 256), (2, 64, 256)),
    ]


def test_layers_of_pointnext_have_the_published_shapes():
    network = PointNeXt(3, 40)
    assert shapes(network, ResidualAbstraction) == [(2, 512, 64), (2, 256, 128), (2, 128, 256), (2, 64, 512)]
    assert [a.radius for a in network.abstractions] == pytest.approx([0.15, 0.225, 0.3375, 0.50625])


def points(channels, count=30):
    """Positions and features in double precision."""
    return (torch.randn(2, count, n, dtype=torch.float64) for n in (3, channels))


def nearest_first(pos, center):
    """Distances and indices of all points of a cloud by their distance."""
    return sorted((float((p - center).norm()), j) for j, p in enumerate(pos))


def affine_rows(affine, x, index):
    """The rows that the linear layer of a geometric affine module is on, cloud by cloud."""
    for b in range(len(x)):
        gaps = torch.stack(
            [torch.stack([x[b, j] - x[b, i] for j in row]) for i, row in enumerate(index[b].tolist())]
        )
        normal = affine.alpha * gaps / (gaps.square().mean().sqrt() + 1e-5) + affine.beta
        yield torch.cat([normal, x[b, : len(gaps), None].expand_as(gaps)], dim=-1)


def affine_layer(inputs, outputs):
    affine = GeometricAffine(inputs, outputs).double()
    nn.init.normal_(affine.alpha)
    nn.init.normal_(affine.beta)
    return affine


def test_geometric_affine_is_that_of_all_edges():
    """Values and gradients, whatever the neighbours."""
    affine, (_, x) = affine_layer(5, 7), points(5)
    x.requires_grad_()
    index = torch.rand(2, 12, 30).topk(6).indices
    out = affine(x, index)
    expected = torch.stack([rows @ affine.linear.weight.T for rows in affine_rows(affine, x, index)])
    torch.testing.assert_close(out, expected)
    weights, inputs = torch.randn_like(out), (x, *affine.parameters())
    ours, theirs = (torch.autograd.grad((weights * y).sum(), inputs) for y in (out, expected))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_the_spread_of_equal_neighbors_has_gradients():
    x = torch.ones(2, 8, 3).requires_grad_()
    found = spread(x, torch.arange(3).expand(2, 4, 3))
    assert found.shape == (2, 1, 1) and found.max() < 1e-4
    found.sum().backward()
    assert x.grad.isfinite().all()


def test_a_stage_of_pointmlp_is_a_loop_over_neighborhoods():
    stage, (pos, x) = disturb(Stage(5, 8, 6, 2, 0.5).double().eval()), points(5, 31)
    centers, out = stage(pos, x)
    assert torch.equal(centers, pos[:, :15])
    near = [[[j for _, j in nearest_first(cloud, cloud[i])[:6]] for i in range(15)] for cloud in pos]
    for b, rows in enumerate(affine_rows(stage.affine, x, torch.tensor(near))):
        for i in range(15):
            h = plain_norm(stage.norm, rows[i] @ stage.affine.linear.weight.T).relu()
            for part in stage.pre:
                h = (h + plain(part.mlp, h)).relu()
            h = h.max(0, keepdim=True).values
            for part in stage.post:
                h = (h + plain(part.mlp, h)).relu()
            torch.testing.assert_close(out[b, i], h[0])


def test_a_residual_abstraction_is_a_loop_over_balls():
    layer, (pos, x) = disturb(ResidualAbstraction(5, 8, 0.8, 4).double().eval()), points(5, 31)
    centers, out = layer(pos, x)
    assert torch.equal(centers, pos[:, :15])
    sizes = set()
    for b in range(2):
        for c in range(15):
            inside = [j for gap, j in nearest_first(pos[b], pos[b, c]) if gap <= 0.8][:4]
            rows = [torch.cat([(pos[b, j] - pos[b, c]) / 0.8, x[b, j]]) for j in inside]
            h = plain(layer.mlp, torch.stack(rows)).max(0).values
            expected = (h + layer.skip.weight @ x[b, c] + layer.skip.bias).relu()
            torch.testing.assert_close(out[b, c], expected)
            sizes.add(len(inside))
    assert 4 in sizes and len(sizes) > 1


@pytest.mark.parametrize("network", [PointMLP, PointNeXt])
def test_every_parameter_has_the_slope_of_differences(network):
    """Along the gradient itself, so that no slope is zero by chance."""
    options = {
        PointMLP: {"embedding": 8, "widening": (2, 1), "blocks": (1, 2), "k": 6},
        PointNeXt: {"width": 8, "radius": 0.8, "neighbors": 6},
    }[network]
    net, data = disturb(network(3, 4, **options).double().eval()), clouds(3, torch.float64, points=24)
    weights = torch.randn(3, 4, dtype=torch.float64)

    def loss():
        return (weights * net(data)).sum()

    parameters = dict(net.named_parameters())
    gradients = torch.autograd.grad(loss(), list(parameters.values()))
    with torch.no_grad():
        for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
            slope = gradient.norm()
            assert slope > 1e-6, name
            step = 1e-7 * gradient / slope
            higher = (parameter.add_(step), loss())[1]
            lower = (parameter.sub_(2 * step), loss())[1]
            parameter.add_(step)
            assert float((higher - lower) / 2e-7) == pytest.approx(float(slope), rel=1e-4), name
