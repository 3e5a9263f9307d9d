"""Four times the points leave the features of layers and the logits of networks, if points weigh what they stand for.

Points weigh their cells, where a denser sampling is known, or what their distances tell (``measure="quadrature"``).
Features are compared at common places: those of each layer, from what the network hands to it on either sampling.
Networks are as after a first batch at the lower density, with its statistics, and in evaluation mode; what is
measured in one of them is shared, as distances of all pairs take most of the time.
"""

import functools
import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize
from torch_geometric.data import Batch, Data

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.io import read_shape
from ccnn_geo.nn.conv.plan import PointPlan
from ccnn_geo.transforms import FarthestSubset, NormalizeSphere, SampleSurface

OFF = Path(__file__).resolve().parents[2] / "../shared/data/off"
FEW, MANY = 1024, 4096
REAL = ["chair", "toilet"]


def lattice(num):
    """Evenly spread numbers of the unit square: Fibonacci's lattice."""
    i = torch.arange(num, dtype=torch.float64) + 0.5
    return i / num, i * (math.sqrt(5) - 1) / 2 % 1


def sphere(u, v):
    z, phi = 1 - 2 * u, 2 * math.pi * v
    return torch.stack(((1 - z * z).sqrt() * phi.cos(), (1 - z * z).sqrt() * phi.sin(), z), dim=1)


def torus(u, v, tube=0.4):
    theta, phi = 2 * math.pi * u, 2 * math.pi * v
    for _ in range(30):  # the angle up to which the area is u, by Newton's method
        theta = theta - (theta + tube * theta.sin() - 2 * math.pi * u) / (1 + tube * theta.cos())
    ring = 1 + tube * theta.cos()
    return torch.stack((ring * phi.cos(), ring * phi.sin(), tube * theta.sin()), dim=1) / (1 + tube)


def even(surface):
    return lambda num: surface(*lattice(num))


def random(surface):
    generator = torch.Generator().manual_seed(0)
    return lambda num: surface(*torch.rand(2, num, dtype=torch.float64, generator=generator))


@functools.cache
def mesh(name):
    """20,000 points of a real shape."""
    if not OFF.is_dir():
        pytest.skip(f"no shared data at {OFF}")
    torch.manual_seed(0)
    data = read_shape(next(OFF.glob(f"{name}_*.off"))).to_data()
    return Data(pos=NormalizeSphere()(SampleSurface(20_000)(data)).pos)


def chosen(cloud, num, reference=None):
    """Farthest points of a cloud."""
    return FarthestSubset(num, random=False, reference=reference)(cloud.clone())


def features(pos):
    return torch.cat((pos, (3 * pos).sin()), dim=1)


def network(measure, clouds, num_blocks=2):
    """A fresh network that a batch of these clouds has set."""
    torch.manual_seed(0)
    sizes = {"hidden_channels": 8, "num_blocks": num_blocks, "kernel_hidden": 6}
    kernels = {"omega_0": 0.5, "window_init": 0.3, "window": "tapered"}
    model = CCNN(6, 5, 3, num_neighbors=None, measure=measure, **sizes, **kernels).double()
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            norm.momentum = 1.0
    with torch.no_grad():
        model(Batch.from_data_list([Data(x=features(c.pos), **c.to_dict()) for c in clouds]))
    return model.eval()


@torch.no_grad()
def seen(model, cloud, places):
    """Logits of a cloud, and the features of each layer at given places."""
    plan, given = model.plan(cloud.pos), {}
    layers = {n: m for n, m in model.named_modules() if isinstance(m, SepFlexConv)}
    hooks = [
        m.register_forward_pre_hook(
            lambda m, args, kwargs, n=n: given.__setitem__(n, (args[0], kwargs["weight"])), with_kwargs=True
        )
        for n, m in layers.items()
    ]
    logits = model(features(cloud.pos), cloud.pos, edge_index=plan, weight=cloud.get("weight"))
    for hook in hooks:
        hook.remove()
    across = PointPlan((cloud.pos, places), dtype=torch.float64)
    found = {
        n: m((given[n][0], None), (cloud.pos, places), across, weight=given[n][1]) for n, m in layers.items()
    }
    return {**found, "logits": logits}


def drifts(model, few, many):
    """Relative change of all that is seen, from few points to many."""
    places = normalize(many.pos[::40] + 0.01, dim=1) * many.pos[::40].norm(dim=1, keepdim=True)
    before, after = (seen(model, cloud, places) for cloud in (few, many))
    return {name: ((after[name] - before[name]).norm() / before[name].norm()).item() for name in before}


SURFACES = {"sphere": even(sphere), "torus": even(torus)}


@pytest.fixture(scope="module")
def estimating():
    """A network that weighs points by their distances, after a batch of surfaces whose logits are not near zero."""
    return network("quadrature", [Data(pos=SURFACES[name](FEW)) for name in ("sphere", "sphere", "torus")])


@pytest.fixture(scope="module")
def told():
    """A network that takes weights as they are."""
    ones = torch.ones(FEW).double()
    return network("uniform", [Data(pos=sample(FEW), weight=ones) for sample in SURFACES.values()])


@pytest.mark.parametrize("name", SURFACES)
def test_four_times_the_points_leave_features_and_logits(name, estimating):
    found = drifts(estimating, *(Data(pos=SURFACES[name](num)) for num in (FEW, MANY)))
    assert max(found.values()) < 0.05, found


@pytest.mark.parametrize("name", REAL)
def test_four_times_the_points_of_a_real_shape_leave_features_and_logits(name, told):
    """Each point weighs its cell of the 20,000 from which it is chosen."""
    found = drifts(told, *(chosen(mesh(name), num, reference=FEW) for num in (FEW, MANY)))
    assert max(found.values()) < 0.05, found


def test_a_real_shape_whose_weights_are_estimated(estimating):
    """Without the denser cloud: its thin parts and rims are near what 1,024 points resolve; logits are differences."""
    found = drifts(estimating, *(chosen(mesh("chair"), num) for num in (FEW, MANY)))
    assert found["stem"] < 0.05 and max(found[name] for name in found if name != "logits") < 0.1, found
    assert found["logits"] < 0.2, found


@pytest.mark.parametrize("measure", ["uniform", "density"])
def test_weights_that_know_no_reference_add_up_to_four_times_as_much(measure):
    few, other = FEW // 4, Data(pos=SURFACES["sphere"](FEW // 4))
    before, after = (Data(pos=SURFACES["torus"](num)) for num in (few, 4 * few))
    found = drifts(network(measure, [before, other]), before, after)
    assert abs(found["stem"] - 3) < 0.1 and found["logits"] > 1, found


def test_random_samples_differ_by_their_noise():
    """That of a mean of some hundred points in the window."""
    sample = random(sphere)
    before, after = (Data(pos=sample(num)) for num in (FEW, MANY))
    stem = network("quadrature", [Data(pos=SURFACES["sphere"](FEW))], num_blocks=0)
    found = drifts(stem, before, after)
    assert 0.05 < found["stem"] < 0.3, found
