"""A turn, not a mirror image: distances and handedness stay."""

import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.transforms import Augmentation, RandomUp


def test_a_right_angle_about_x():
    pos = torch.randn(6, 3)
    found = RandomUp(1.0)(Data(pos=pos.clone(), normal=pos.clone()))
    turn = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    torch.testing.assert_close(found.pos, pos @ turn.T)
    assert torch.equal(found.normal, found.pos) and torch.linalg.det(turn) == 1


def test_a_share_is_turned():
    up = RandomUp(0.3, torch.Generator().manual_seed(0))
    turned = [bool(up(Data(pos=torch.tensor([[0.0, 1.0, 0.0]]))).pos[0, 2]) for _ in range(200)]
    assert 40 < sum(turned) < 80
    assert [type(t).__name__ for t in Augmentation(swap_up=0.5).transforms()] == ["RandomUp"]
    with pytest.raises(ValueError, match=r"probability p on \[0, 1\], got -1"):
        RandomUp(-1)
    with pytest.raises(ValueError, match=r"expected pos \[N, 3\], got \[4, 2\]"):
        RandomUp()(Data(pos=torch.zeros(4, 2)))
