"""Running statistics from the first batches on, against means taken by numpy."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from ccnn_geo import CCNN, JointCCNN
from ccnn_geo.nn.blocks import BLOCKS
from ccnn_geo.nn.norm.batch import BatchNorm
from ccnn_geo.nn.norm.pool import PoolNorm
from ccnn_geo.nn.norm.sync import SyncBatchNorm1d, convert_sync_norms
from ccnn_geo.testing import assert_close

SIZES = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.5}


def batches(count, channels=3):
    scale = torch.arange(1, count + 1).view(-1, 1, 1)  # as those of weights that move
    return 50 + scale * torch.randn(count, 7, channels, dtype=torch.float64)


@pytest.mark.parametrize("make", [BatchNorm, PoolNorm, SyncBatchNorm1d])
def test_the_first_ten_batches_weigh_the_same(make):
    norm, x = make(3).double(), batches(10)
    for one in x:
        norm(one)
    np.testing.assert_allclose(norm.running_mean, x.numpy().mean(1).mean(0), rtol=1e-12)
    np.testing.assert_allclose(norm.running_var, x.numpy().var(1, ddof=1).mean(0), rtol=1e-12)
    assert norm.num_batches_tracked == 10


def test_later_ones_follow_with_the_momentum():
    norm, x = BatchNorm(3).double(), batches(25)
    weights = np.full(10, 0.1)
    for one in x:
        norm(one)
    for _ in range(15):
        weights = np.append(0.9 * weights, 0.1)
    np.testing.assert_allclose(norm.running_mean, weights @ x.numpy().mean(1), rtol=1e-12)
    np.testing.assert_allclose(norm.running_var, weights @ x.numpy().var(1, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
def test_all_else_is_torch(shape):
    ours, theirs = BatchNorm(3), nn.BatchNorm1d(3)
    x = [torch.randn(shape, requires_grad=True) for _ in range(2)]
    x[1].data.copy_(x[0].data)
    y = [norm(one) for norm, one in zip((ours, theirs), x, strict=True)]
    assert torch.equal(*y)
    for one in y:
        one.pow(3).sum().backward()
    assert torch.equal(x[0].grad, x[1].grad) and torch.equal(ours.weight.grad, theirs.weight.grad)
    ours.load_state_dict(theirs.state_dict())  # of a checkpoint of before
    assert torch.equal(ours.eval()(x[0]), theirs.eval()(x[0]))
    frozen = BatchNorm(3, track_running_stats=False)
    assert torch.equal(frozen(x[0]), nn.BatchNorm1d(3, track_running_stats=False)(x[0]))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BatchNorm(3)(torch.ones(1, 3))


def test_a_state_dict_goes_on_as_if_never_stored():
    whole, first, x = BatchNorm(3), BatchNorm(3), batches(6).float()
    for one in x:
        whole(one)
    for one in x[:3]:
        first(one)
    second = BatchNorm(3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for one in x[3:]:
        second(one)
    assert torch.equal(whole.running_mean, second.running_mean)
    assert torch.equal(whole.running_var, second.running_var)


def test_a_batch_of_one_sample_does_not_count_for_pooled_features():
    norm, x = PoolNorm(3), batches(2).float()
    norm(x[0, :1])
    norm(x[1])
    assert norm.num_batches_tracked == 1
    assert_close(norm.running_mean, x[1].mean(0), 1e-6)


def test_under_compile_one_graph_serves_all_batches():
    torch.compiler.reset()
    graphs = []

    def count(graph, _):
        graphs.append(graph)
        return graph.forward

    norm, twin, x = BatchNorm(3), BatchNorm(3), batches(12).float()
    compiled = torch.compile(norm, backend=count, fullgraph=True)
    for one in x:
        assert_close(compiled(one), twin(one), 1e-6)
    assert len(graphs) == 1
    assert_close(norm.running_mean, twin.running_mean, 1e-6)


@pytest.mark.parametrize("block", BLOCKS)
def test_all_norms_of_networks_are_such(block):
    network = CCNN(2, 3, 2, pool="mean_max", block=block, **SIZES)
    joint = JointCCNN({"a": network, "b": CCNN(1, 2, 2, pool="mean_max", block=block, **SIZES)})
    for module in (joint, convert_sync_norms(copy.deepcopy(joint))):
        norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        assert len(norms) == 8
        assert all(isinstance(norm, BatchNorm) for norm in norms)


def test_a_network_that_saw_one_batch_is_the_same_in_evaluation():
    network, x = CCNN(2, 3, 2, **SIZES), torch.randn(6, 2, 8, 8)
    y = network(x)
    for norm in network.modules():
        if isinstance(norm, BatchNorm):
            # the batch's own statistics, but for the correction of the variance
            n = 6 * 64
            norm.running_var.mul_((n - 1) / n)
    assert_close(network.eval()(x), y, 1e-5)
