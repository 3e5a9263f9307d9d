"""Where a network for parts is asked: middles of polygons by their area, in the frame of the sample."""

import numpy as np
import pytest
import torch

from ccnn_geo._base.pyg import Data
from ccnn_geo.transforms.pipelines.base import make_pipeline
from ccnn_geo.transforms.pipelines.parts import PartPipeline, asked_places
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline

# an L of six corners: a rectangle of 3 x 1, and one of 1 x 1 on its left end
L_SHAPE = torch.tensor([[0.0, 0, 0], [3, 0, 0], [3, 1, 0], [1, 1, 0], [1, 2, 0], [0, 2, 0]])
FAN = torch.tensor([[0, 0, 0, 0], [1, 2, 3, 4], [2, 3, 4, 5]])


def test_middle_of_a_polygon() -> None:
    """A rectangle of 3 x 1 around (1.5, 0.5) and one of 1 x 1 around (0.5, 1.5)."""
    data = Data(pos=L_SHAPE.double(), face=FAN, corners=torch.tensor([6]))
    expected = (3 * torch.tensor([1.5, 0.5, 0]) + torch.tensor([0.5, 1.5, 0])) / 4
    assert torch.allclose(asked_places(data)[0].float(), expected)


def test_faces_without_area() -> None:
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 3, 0]], dtype=torch.float64)
    face = torch.tensor([[0, 0], [1, 1], [2, 3]])
    data = Data(pos=pos, face=face, corners=torch.tensor([3, 2, 3]))
    found = asked_places(data)
    assert found.tolist() == [[1, 0, 0], [0.75, 0.75, 0], [1 / 3, 1, 0]]
    assert asked_places(Data(pos=pos)) is pos


@pytest.mark.parametrize("frame", ["sphere", "box"])
def test_frame_of_the_answers(frame: str) -> None:
    """Points that are asked at lie on the surface from which the sample is, far from the origin too."""
    rng = np.random.default_rng(0)
    pos = torch.from_numpy(rng.random((300, 3)) * [4, 2, 1] + 5e6)
    pipeline = PartPipeline(num_points=300, num_samples=300, frame=frame)
    found = pipeline(Data(pos=pos))
    assert found.at.dtype == torch.float32
    order = torch.cdist(found.at, found.pos).argmin(dim=1)
    assert order.sort().values.equal(torch.arange(300))
    assert torch.equal(found.at, found.pos[order])


def test_sample_is_that_of_shapes() -> None:
    mesh = Data(pos=L_SHAPE.double(), face=FAN, corners=torch.tensor([6]))
    parts, shape = PartPipeline(num_points=64)(mesh), ShapePipeline(num_points=64)(mesh)
    assert torch.equal(parts.x, shape.x)
    assert torch.equal(parts.pos, shape.pos)


def test_stored_and_made_again() -> None:
    pipeline = PartPipeline(num_points=77, features=["constant", "pos"])
    assert make_pipeline(pipeline.settings()) == pipeline
    with pytest.raises(ValueError, match=r"data.carrier: expected 'points' for parts, got 'grid'"):
        PartPipeline(carrier="grid")
