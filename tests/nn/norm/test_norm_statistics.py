"""Statistics measured anew, against numpy on what the layers are given."""

import numpy as np
import pytest
import torch
from torch import nn

from ccnn_geo import CCNN, JointCCNN
from ccnn_geo.nn.norm.batch import BatchNorm
from ccnn_geo.nn.norm.statistics import fresh_statistics, tracking_norms

SIZES = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.5}


def inputs_of(norm):
    seen = []
    norm.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().double().numpy()))
    return seen


def test_means_over_the_batches_with_the_weights_of_now():
    network = CCNN(1, 2, 2, dropout=0.5, pool="mean_max", **SIZES)
    x = torch.randn(3, 5, 1, 6, 6)
    for one in x:
        network(one)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn_like(p))
    norms = [network.stem_norm, network.blocks[0].norm, network.norm, network.head.norm]
    seen = [inputs_of(norm) for norm in norms]
    random = torch.get_rng_state()
    with fresh_statistics(network):
        for one in x:
            assert not network(one).requires_grad
    assert torch.equal(random, torch.get_rng_state())  # nothing is dropped
    assert network.training and network.blocks[0].dropout.training
    for norm, given in zip(norms, seen, strict=True):
        axes = (0, *range(2, given[0].ndim))
        np.testing.assert_allclose(norm.running_mean, np.mean([g.mean(axes) for g in given], 0), atol=1e-6)
        expected = np.mean([g.var(axes, ddof=1) for g in given], 0)
        np.testing.assert_allclose(norm.running_var, expected, rtol=1e-5)
        assert norm.momentum == 0.1 and norm.num_batches_tracked == 3


def test_kinds_that_no_batch_has_reached_keep_theirs():
    model = JointCCNN({kind: CCNN(1, 2, 2, **SIZES) for kind in "ab"})
    x = torch.randn(4, 1, 6, 6)
    for kind in "ab":
        model(kind, x)
    before = {name: value.clone() for name, value in model.named_buffers()}
    with fresh_statistics(model):
        model("a", 3 + x)
    after = dict(model.named_buffers())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and all(name.startswith("networks.a") and "running" in name for name in moved)


def test_frozen_norms_stay_frozen():
    network = nn.Sequential(BatchNorm(2), nn.BatchNorm1d(2), BatchNorm(2, track_running_stats=False))
    network[0].eval()
    assert tracking_norms(network) == [network[1]]
    with fresh_statistics(network):
        network(torch.randn(5, 2) + 7)
    assert network[0].running_mean.tolist() == [0, 0] and not network[0].training
    assert network[1].running_mean.min() > 5 and network[1].num_batches_tracked == 0
    network.eval()
    with fresh_statistics(network):  # in evaluation nobody can tell
        network(torch.randn(5, 2) + 7)
    assert network[0].running_mean.min() > 5 and not network[1].training


def test_a_failure_inside_leaves_modes_and_momenta():
    network = nn.Sequential(BatchNorm(2), nn.Dropout())
    with pytest.raises(ZeroDivisionError), fresh_statistics(network):
        raise ZeroDivisionError
    assert network[0].momentum == 0.1 and network[0].training and network[1].training
