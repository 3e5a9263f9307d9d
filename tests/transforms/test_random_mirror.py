"""Mirror images: some axes change their sign, positions and normals alike."""

import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.transforms import Augmentation, RandomMirror


def test_each_axis_is_mirrored_half_of_the_times():
    mirror = RandomMirror("xz", torch.Generator().manual_seed(0))
    pos = torch.tensor([[1.0, 2.0, 3.0], [-2.0, 1.0, 0.5]])
    signs = []
    for _ in range(400):
        found = mirror(Data(pos=pos.clone(), normal=pos.double()))
        sign = found.pos / pos
        torch.testing.assert_close(sign[0], sign[1])
        torch.testing.assert_close(found.normal, found.pos.double())
        signs.append(sign[0])
    share = (torch.stack(signs) < 0).float().mean(0)
    assert share[1] == 0 and (share[[0, 2]] - 0.5).abs().max() < 0.08
    both = (torch.stack(signs)[:, [0, 2]] < 0).float()
    assert abs(torch.corrcoef(both.T)[0, 1]) < 0.15


def test_the_augmentation_has_it():
    assert repr(Augmentation(mirror="xz").transforms()) == "[RandomMirror('xz')]"


@pytest.mark.parametrize("axes", ["", "xx", "xw"])
def test_axes_are_some_of_three(axes):
    with pytest.raises(ValueError, match="some of x, y, z"):
        RandomMirror(axes)


def test_positions_have_three_dimensions():
    with pytest.raises(ValueError, match=r"pos \[N, 3\]"):
        RandomMirror()(Data(pos=torch.zeros(4, 2)))
