"""From a mesh or a cloud to points, and the places to label: the faces of a mesh, or all points of a cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from ccnn_geo._base.pyg import Data, scatter
from ccnn_geo.io.shapes.part_labels import BESIDE
from ccnn_geo.io.shapes.shape import polygon_of_triangles
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline
from ccnn_geo.transforms.sample_shape import SampleShape


@dataclass(frozen=True)
class PartPipeline(ShapePipeline):
    """Prepares a shape for a network that predicts parts, and the places to predict at.

    Points are sampled as in :class:`~ccnn_geo.transforms.ShapePipeline`. The network predicts at the centre of each
    face of a mesh, or at each point of a cloud; a convolution has a value everywhere.

    Raises:
        ValueError: If an argument is out of range, or ``carrier`` is not ``points``.

    Example:
        >>> from torch_geometric.data import Data
        >>> triangle = Data(pos=torch.eye(3), face=torch.tensor([[0], [1], [2]]))
        >>> PartPipeline(num_points=64)(triangle)
        Data(pos=[64, 3], normal=[64, 3], x=[64, 6], at=[1, 3])
    """

    kind: ClassVar[str] = "part"
    companions: ClassVar[tuple[str, ...]] = BESIDE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.carrier != "points":
            raise ValueError(f"data.carrier: expected 'points' for parts, got {self.carrier!r}")

    def __call__(self, data: Data) -> Data:
        """Turns a mesh or cloud, as read from a file, into the network's input and the places ``at`` to predict."""
        data = data.clone()
        data.pos = data.pos.double()
        asked = asked_places(data)
        data.corners = None
        generator = Generator().manual_seed(self.seed)
        sample = SampleShape(self.num_samples, self.normal_neighbors, generator, self.frame, self.cells)
        points, place = sample.placed(data)
        found = self.evaluation()(points)
        found.at = place(asked)
        return found


def asked_places(data: Data) -> Tensor:
    """Centres of the faces of a mesh, in the order of its file, or the points of a cloud.

    The centre of a polygon is the centroid of its area. A polygon without area uses the mean of its triangles'
    centres, and one with fewer than three corners the centre of the mesh.

    Shapes:
        ``pos [V, 3]``, ``face [3, F]``, optional ``corners [P]`` -> ``[P, 3]``; for a cloud ``[V, 3]``
    """
    if data.get("face") is None or data.face.numel() == 0:
        return data.pos
    corner = data.pos[data.face]
    middle = corner.mean(dim=0)
    if data.get("corners") is None:
        return middle
    area = torch.linalg.cross(corner[1] - corner[0], corner[2] - corner[0]).norm(dim=1)
    polygon = torch.from_numpy(polygon_of_triangles(data.corners.numpy()))
    num = len(data.corners)
    total = scatter(area, polygon, dim_size=num, reduce="sum")
    weight = torch.where(total[polygon] > 0, area, 1.0).unsqueeze(1)
    count = scatter(weight, polygon, dim_size=num, reduce="sum")
    found = scatter(middle * weight, polygon, dim_size=num, reduce="sum") / count
    return torch.where(count > 0, found, data.pos.mean(dim=0))
