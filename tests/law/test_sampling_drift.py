"""Two random samplings of one surface give outputs that differ less, the lower the limit on the kernels' frequencies.

A layer is compared at common places. Weights of the points are 1 each, as in the paper.
"""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import normalize

from ccnn_geo import CCNN, SepFlexConv

LIMITS = {"low_pass": (0.0, 0.1, 0.2, 0.4, 0.8), "omega_0": (16.0, 8.0, 4.0, 2.0, 1.0)}
"""From none or the highest to the tightest; the other one is 2 rad per unit, or none."""
SEEDS = 3
POINTS = 400


def sphere(num, generator):
    return normalize(torch.randn(num, 3, dtype=torch.float64, generator=generator), dim=1).float()


def samplings(seed, num=3):
    """Common places, clouds on a sphere, and smooth features of the points."""
    generator = torch.Generator().manual_seed(seed)
    places, *clouds = (sphere(n, generator) for n in (50, *[POINTS] * num))
    return places, [(torch.cat((p, p.roll(1, 1) * p), dim=1) + 1, p) for p in clouds]


def settings(limit, value):
    return {"omega_0": 2.0, "window_init": 0.5, "window": "tapered", limit: value}


def drift(outputs):
    """Distance of several outputs from their mean over their length."""
    outputs = torch.stack(outputs)
    return ((outputs - outputs.mean(dim=0)).norm() / outputs.norm()).item()


def layer_drift(seed, kwargs):
    places, clouds = samplings(seed)
    torch.manual_seed(seed)
    conv = SepFlexConv(6, 8, 3, kernel_hidden=8, num_taps=100.0, **kwargs).eval()
    return drift([conv.aggregate_neighbors((x, None), (pos, places)) for x, pos in clouds])


@torch.no_grad()
@pytest.mark.parametrize("limit", LIMITS)
def test_samplings_differ_less_the_tighter_the_limit(limit):
    drifts = []
    for value in LIMITS[limit]:
        drifts.append(sum(layer_drift(seed, settings(limit, value)) for seed in range(SEEDS)) / SEEDS)
    assert all(tighter < looser for looser, tighter in pairwise(drifts)), drifts
    assert drifts[-1] < 0.6 * drifts[0], drifts


def network_drift(seed, kwargs):
    """Of what the readout takes: the mean of the features over all points."""
    _, clouds = samplings(seed)
    torch.manual_seed(seed)
    sizes = {"hidden_channels": 8, "num_blocks": 2, "kernel_hidden": 8, "num_neighbors": None}
    model = CCNN(6, 8, 3, **sizes, **kwargs).eval()
    seen = []
    model.norm.register_forward_hook(lambda module, args, out: seen.append(out.mean(dim=0)))
    for x, pos in clouds:  # the first one sets the scales
        model(x, pos)
    return drift(seen)


@torch.no_grad()
def test_a_whole_network_drifts_less_the_tighter_the_limit():
    drifts = []
    for value in LIMITS["low_pass"][:4]:
        drifts.append(sum(network_drift(seed, settings("low_pass", value)) for seed in range(2)) / 2)
    assert all(tighter < looser for looser, tighter in pairwise(drifts)), drifts
    assert drifts[-1] < 0.7 * drifts[0], drifts
