"""Weights with a reference: set once, kept with the parameters, inverse to the density, whatever the neighbours."""

import copy

import pytest
import torch
from torch.nn.functional import normalize

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.nn.conv.measures import QuadratureMeasure
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.visualization import Sample, class_evidence

ARGS = {
    "kernel_hidden": 4,
    "omega_0": 0.5,
    "window_init": 0.3,
    "num_neighbors": None,
    "measure": "quadrature",
}


def sphere(num, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(num, 3, dtype=torch.float64, generator=generator), dim=1)


def test_weights_are_the_formula():
    measure, pos = QuadratureMeasure().double(), sphere(300)
    first = measure(PointPlan(pos))
    assert first.mean().item() == pytest.approx(1)
    distance = torch.cdist(pos, pos)
    assert measure.bandwidth.item() == pytest.approx(
        distance.sort(dim=1).values[:, 32].sort().values[150].item()
    )
    density = (1 - (distance / measure.bandwidth).square()).clamp(min=0).sum(dim=1)
    torch.testing.assert_close(first, 1 / (1 / density).mean() / density)
    other = sphere(500, seed=1)
    distance = torch.cdist(other, other)
    density = (1 - (distance / measure.bandwidth).square()).clamp(min=0).sum(dim=1)
    torch.testing.assert_close(measure(PointPlan(other)), measure.density / density)


def test_neighbours_found_for_the_kernel_serve():
    measure, pos = QuadratureMeasure().double(), sphere(200)
    batch = torch.arange(2).repeat_interleave(100)
    expected = measure(PointPlan(pos, batch))
    for support in (0.01, 0.3, 5.0):
        found = measure(PointPlan(pos, batch), torch.full((3,), support))
        torch.testing.assert_close(found, expected)
    listed = PointPlan(pos, batch, build_neighbors(pos, batch, 4))  # too short a list for a density
    torch.testing.assert_close(measure(listed), expected)
    torch.testing.assert_close(measure(PointPlan((pos, pos[:7]), (batch, batch[:7]))), expected)
    torch.testing.assert_close(measure(PointPlan(pos[:100]))[:100], expected[:100])


def test_the_reference_is_set_once_and_kept():
    torch.manual_seed(0)
    conv = SepFlexConv(3, 4, 3, **ARGS).double()
    few, many = sphere(200), sphere(800, seed=1)
    conv(few, few)
    state = copy.deepcopy(conv.state_dict())
    assert state["measure.bandwidth"] > 0 and state["measure.density"] > 1
    weight = conv.point_weights(PointPlan(many))
    assert weight.mean().item() == pytest.approx(0.25, rel=0.1)
    again = SepFlexConv(3, 4, 3, **ARGS).double()
    again.load_state_dict(state)
    assert torch.equal(again.point_weights(PointPlan(many)), weight)
    torch.testing.assert_close(conv(many, many), conv(many, many, weight=weight))
    again.reset_parameters()
    assert again.point_weights(PointPlan(many)).mean().item() == pytest.approx(1)


def test_other_measures_have_nothing_more_to_store():
    for measure in ("uniform", "density"):
        conv = SepFlexConv(3, 4, 3, measure=measure)
        assert not [key for key in conv.state_dict() if key.startswith("quadrature")]


@pytest.mark.parametrize("measure", ["density", "quadrature"])
def test_the_mean_is_over_the_surface_and_the_largest_is_not(measure):
    torch.manual_seed(0)
    pos = torch.cat((sphere(60), sphere(90, seed=1).clamp(min=-0.5)))
    batch = torch.tensor([0] * 60 + [2] * 90)  # the second cloud has no points
    neighbors = None if measure == "quadrature" else 40
    args = ARGS | {"measure": measure, "num_neighbors": neighbors}
    model = CCNN(3, 5, 3, 4, 1, pool="mean_max", **args).double()
    seen = []
    model.norm.register_forward_hook(lambda module, args, out: seen.append(out))
    model(pos, pos, batch, batch_size=3)
    out = model.eval()(pos, pos, batch, batch_size=3)
    weight = model.stem.point_weights(model.plan(pos, batch))
    for cloud in (0, 2):
        own = batch == cloud
        h, w = seen[-1][own], weight[own, None]
        pooled = torch.cat(((h * w).sum(dim=0) / w.sum(), h.amax(dim=0)))
        torch.testing.assert_close(out[cloud], model.head.linear(model.head.norm(pooled[None]))[0])
    nothing = torch.zeros(1, 8, dtype=torch.float64)
    torch.testing.assert_close(out[1], model.head.linear(model.head.norm(nothing))[0])


def test_evidence_of_weighted_points_adds_up_to_the_logits():
    torch.manual_seed(0)
    pos = sphere(50).abs()
    model = CCNN(3, 5, 3, 4, 1, **ARGS).double()
    model(pos, pos)
    out = model.eval()(pos, pos)
    evidence = class_evidence(model, Sample("a", {"x": pos, "pos": pos}))
    torch.testing.assert_close(evidence.mean(dim=0), out[0])


def test_lists_of_the_nearest_are_refused():
    for make in (SepFlexConv, lambda *sizes, **kwargs: CCNN(*sizes, 4, 1, **kwargs)):
        with pytest.raises(
            ValueError, match=r"expected num_neighbors=None with measure='quadrature'.*got 16"
        ):
            make(3, 4, 3, **ARGS | {"num_neighbors": 16})


def test_no_points():
    assert QuadratureMeasure()(PointPlan(torch.zeros(0, 3))).shape == (0,)
