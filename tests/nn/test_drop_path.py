"""Stochastic depth: whole samples, the right share of them, the same in the mean."""

import pytest
import torch

from ccnn_geo import CCNN, PointPlan
from ccnn_geo.kernels.math.gelu import gelu
from ccnn_geo.nn.blocks import BLOCKS
from ccnn_geo.nn.drop_path import DropPath

CONV = {"kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.4, "num_neighbors": 4}


def test_a_sample_is_kept_or_left_out_as_a_whole(device):
    torch.manual_seed(0)
    drop = DropPath(0.25)
    grid = drop(torch.ones(4000, 3, 5, device=device))
    assert grid.unique().tolist() == pytest.approx([0, 4 / 3])
    kept = grid.flatten(1).amax(dim=1)
    assert torch.equal(kept, grid.flatten(1).amin(dim=1)) and kept.mean().item() == pytest.approx(1, abs=0.05)
    batch = torch.arange(4000, device=device) // 2
    for where in ({"batch": batch}, {"edge_index": PointPlan(torch.rand(4000, 2, device=device), batch)}):
        points = drop(torch.ones(4000, 3, device=device), **where).view(2000, -1)
        assert torch.equal(points.amax(dim=1), points.amin(dim=1))
        assert (points > 0).float().mean().item() == pytest.approx(0.75, abs=0.05)
    alone = [drop(torch.ones(7, 3, device=device)).unique().numel() for _ in range(20)]
    assert set(alone) == {1}  # one cloud


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_a_block_without_its_branch_is_the_identity(name):
    torch.manual_seed(0)
    block = BLOCKS[name](6, 1, drop_path=0.5, **CONV)
    x = torch.randn(40, 6, 9)
    block(x)
    with torch.no_grad():
        y = block(x)
        bare = gelu(x) if name == "flex" else x
    left_out = torch.tensor([torch.equal(a, b) for a, b in zip(y, bare, strict=True)])
    assert 5 < left_out.sum() < 35
    block.eval()
    plain = BLOCKS[name](6, 1, **CONV)
    plain.load_state_dict(block.state_dict())
    torch.testing.assert_close(block(x), plain.eval()(x))
    assert not any(torch.equal(a, b) for a, b in zip(block(x), bare, strict=True))


def test_later_blocks_are_left_out_more_often():
    model = CCNN(2, 3, 1, hidden_channels=4, num_blocks=4, drop_path=0.2, **CONV)
    assert [block.drop_path.p for block in model.blocks] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    x = torch.randn(10, 2, 12)
    model(x).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    points = model(torch.randn(30, 2), torch.rand(30, 1), torch.arange(30) // 10)
    assert points.shape == (3, 3)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan")])
def test_probabilities_are_checked(p):
    with pytest.raises(ValueError, match=r"expected p in \[0, 1\), got"):
        DropPath(p)
